"""Every command that the docs show: in fenced blocks, and between backticks in sentences."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = [
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if "reference" not in page.parts),
]
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_PROGRAM = re.compile(r"^(?:(?:kbz/)?\.venv/bin/)?kbz(?= |$)")
_ELSEWHERE = "examples"
"""The repository of an application: its own programs are typed there too."""


@dataclass(frozen=True)
class Shown:
    """One command of kbz on a page."""

    page: Path
    words: tuple[str, ...]
    """What comes after `kbz`."""
    typed: bool
    """Stands in a block as something to type, and not in a sentence."""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: kbz {shlex.join(self.words)}"


def lines(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the lines that a reader would type, each with the language of its block."""
    for language, body in _FENCE.findall(page.read_text(encoding="utf-8")):
        if body.lstrip().startswith("#!"):
            continue  # a whole script, shown to be kept in a file
        for line in body.splitlines():
            text = line.strip()
            if text.startswith("$ "):
                yield language, text[2:]
            elif _PROGRAM.match(text) if not language else language == "sh" and text[:1] not in "#":
                yield language, text


def commands() -> list[Shown]:
    """Return every command of kbz on every page."""
    found: list[Shown] = []
    for page in PAGES:
        found += [
            Shown(page, words, typed=True)
            for _, line in lines(page)
            if (words := words_of(line)) is not None
        ]
        rest = _FENCE.sub("", page.read_text(encoding="utf-8"))
        found += [
            Shown(page, words, typed=False)
            for text in _INLINE.findall(rest)
            if (words := words_of(text)) is not None
        ]
    return found


def words_of(line: str) -> tuple[str, ...] | None:
    """Return the words after `kbz`, or None for another program, and for a line that only shows a form."""
    if not _PROGRAM.match(line) or re.search(r"[\[\]…|]", line):
        return None
    # Two spaces, or a bracket, begin a remark about the command.
    typed = re.split(r" > |  +| \(|; echo", line)[0]
    return tuple(shlex.split(typed, comments=True)[1:])


def others() -> list[tuple[Path, str]]:
    """Return the lines to type that are no command of kbz."""
    return [
        (page, line.removeprefix("kbz/"))
        for page in PAGES
        if _ELSEWHERE not in page.parts
        for _, line in lines(page)
        if not _PROGRAM.match(line)
    ]
