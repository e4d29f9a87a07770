"""Text that fits a screen: lines are broken between words and never inside one. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from keybuzz.model.said.modules import by_modules

WIDTH = 100
"""Columns where a terminal does not say how many it has, and of pages of prose."""
LEAST = 40
_DEEPEST = 24
_PROGRAMS = ("kbz", "docker")
_BETWEEN_CLAUSES = re.compile(r"(?<=[;,:]) | {2}(?=\()")
_PROPOSES = re.compile(r" → (?=kbz )")


def fit(text: str, width: int) -> str:
    """Return a text with each line that is too long broken between words, its rest indented below it.

    A proposed command stays whole: it is pasted as it is.
    """
    return "\n".join(part for line in text.split("\n") for part in _fitted(line, width))


def _fitted(line: str, width: int) -> Iterator[str]:
    if len(line) <= width:
        yield line
    elif line.lstrip().startswith("→"):
        yield from advice(line, width)
    elif found := _PROPOSES.search(line):
        yield from broken(line[: found.start()], width)
        yield from advice(f"{'':{_margin(line)}}→ {line[found.end() :]}", width)
    else:
        yield from broken(line, width)


def advice(line: str, width: int) -> list[str]:
    """Return a line with `→ what to do` broken between its clauses, and a clause without a command between words."""
    width = max(width, LEAST)
    if len(line) <= width:
        return [line]
    margin = " " * (len(line) - len(line.lstrip()) + 2)
    lines = [""]
    for clause in _clauses(line):
        joined = f"{lines[-1]} {clause}" if lines[-1] else clause
        if lines[-1] and len(joined) > width:
            lines.append(margin + clause)
        else:
            lines[-1] = joined
    return [
        part
        for one in lines
        for part in ([one] if _typed().search(one) else broken(one, width, len(margin)))
    ]


@cache
def _typed() -> re.Pattern[str]:
    """Return what is in a clause that is typed: it is never broken, because it is pasted as it is."""
    programs = (*_PROGRAMS, *(name for module in by_modules() for name in module.programs))
    return re.compile(rf"(?:^|[\s`(])(?:{'|'.join(programs)}) |(?:^|\s)--?[A-Za-z]|\s'")


def _clauses(line: str) -> list[str]:
    """Return the clauses of an advice; what is quoted for a shell may hold what parts them, so that it is one."""
    if " '" in line:
        command, gap, remark = line.partition("  (")
        return [command, f"({remark}"] if gap else [command]
    return _BETWEEN_CLAUSES.split(line)


def broken(line: str, width: int, indent: int | None = None) -> list[str]:
    """Return one line as lines of at most `width` columns; a word is cut only where it is longer than a line.

    The rest is indented below what the line begins with: its second column, where two spaces part the first off.
    """
    width = max(width, LEAST)
    if len(line) <= width:
        return [line]
    margin = " " * (_margin(line) if indent is None else indent)
    lines: list[str] = []
    while len(line) > width:
        start = len(line) - len(line.lstrip())
        cut = line.rfind(" ", start + 1, width + 1)
        if cut <= max(start, len(margin) if lines else 0):
            cut = width
        lines.append(line[:cut].rstrip())
        line = margin + line[cut:].strip()
    return [*lines, line] if line.strip() else lines


def ended(line: str, width: int) -> list[str]:
    """Return the last line broken to a width; its exit code stays with its word."""
    whole = broken(line.replace("; exit ", "; exit\0"), width, 2)
    return [part.replace("\0", " ") for part in whole]


def table(rows: Sequence[Sequence[str]], width: int, indent: str = "") -> list[str]:
    """Return rows in columns; where they do not fit, each row's cells after the first with their headings."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        indent
        + "  ".join(cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    if max(map(len, lines)) <= max(width, LEAST):
        return lines
    found: list[str] = []
    for row in rows[1:]:
        cells = [f"{head} {cell}" for head, cell in zip(rows[0][1:], row[1:], strict=True) if cell]
        found += broken(f"{indent}{row[0]}  {', '.join(cells)}", width)
    return found


def _margin(line: str) -> int:
    """Return the column below which the rest of a line goes."""
    start = len(line) - len(line.lstrip())
    gap = line.find("  ", start)
    if 0 <= gap <= _DEEPEST:
        text = len(line) - len(line[gap:].lstrip())
        if text <= _DEEPEST:
            return text
    return min(start + 2, _DEEPEST)
