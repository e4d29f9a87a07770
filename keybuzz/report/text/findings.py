"""Findings as text: causes first and worst first, what follows from each under it, good ones counted. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from keybuzz.model.core.finding import Finding, Level

_INDENT = " " * 9
_NUMBER = re.compile(r"(?<![\w.:/-])\d+(?:\.\d+)?(?![\w.:/-])")
_ADDRESS = re.compile(r"\b\d+\.\d+\.\d+\.\d+(:\d+)?")
_WIDTH = 100


def findings_text(findings: Iterable[Finding], *, every: bool) -> str:
    """Return findings; the same one on many hosts is one line with the list, whatever its numbers are."""
    found = list(findings)
    bad = [finding for finding in found if finding.level > Level.OK]
    roots = {finding.check for finding in bad if not finding.cause}
    lines: list[str] = []
    grouped: dict[tuple[Level, str, str, str], list[Finding]] = defaultdict(list)
    for finding in bad:
        if finding.cause not in roots:
            message = _NUMBER.sub("0", _ADDRESS.sub("its address", finding.message))
            grouped[finding.level, finding.check, message, _hint(finding)].append(finding)
    told: set[str] = set()
    for (level, check, _, hint), same in sorted(
        grouped.items(), key=lambda item: (-item[0][0], item[0][1])
    ):
        where = _where(same)
        message = _ranged([finding.message for finding in same])
        lines.append(f"{level.word:<8} {check}{where}{': ' + message if message else ''}")
        if hint:
            lines.append(f"{_INDENT}→ {hint.format(host=','.join(_names(same)))}")
        if check not in told:
            lines += _consequences(check, bad)
            told.add(check)
    if every:
        lines += _good(finding for finding in found if finding.level is Level.OK)
    return "\n".join(lines)


def finding_line(finding: Finding) -> str:
    """Return one finding as one line that stays the same while only its numbers move."""
    where = f" {finding.host}" if finding.host else ""
    return f"{finding.level.word} {finding.check}{where}: {_NUMBER.sub('…', finding.message)}"


def _hint(finding: Finding) -> str:
    """Return the hint with a place for the host that it names, so that many hosts have one hint."""
    hint = finding.hint.replace("{", "{{").replace("}", "}}")
    return hint.replace(finding.host, "{host}") if finding.host else hint


def _consequences(cause: str, bad: Iterable[Finding]) -> Iterator[str]:
    """Yield what follows from a cause, each check with its hosts, in lines of the screen's width."""
    grouped: dict[str, list[Finding]] = defaultdict(list)
    for finding in bad:
        if finding.cause == cause:
            grouped[finding.check].append(finding)
    parts = [f"{check}{_where(same)}" for check, same in sorted(grouped.items())]
    line = f"{_INDENT}so also:"
    for number, part in enumerate(parts):
        text = f" {part}{';' * (number + 1 < len(parts))}"
        if len(line) + len(text) > _WIDTH and not line.endswith(":"):
            yield line
            line = f"{_INDENT}        "
        line += text
    if parts:
        yield line


def _good(found: Iterable[Finding]) -> Iterator[str]:
    """Yield one line for each module, with how many of its checks are ok, and one for each probe that was written."""
    checks: dict[str, set[str]] = defaultdict(set)
    hosts: dict[str, set[str]] = defaultdict(set)
    probes: list[str] = []
    for finding in found:
        module = finding.check.partition(".")[0]
        if finding.check.endswith(".probe"):
            probes.append(f"{Level.OK.word:<8} {finding.check}: {finding.message}")
            continue
        checks[module].add(finding.check)
        hosts[module] |= {finding.host} - {""}
    for module, ids in checks.items():
        where = f" on {_count(len(hosts[module]), 'host')}" if hosts[module] else ""
        yield f"{Level.OK.word:<8} {module}: {_count(len(ids), 'check')}{where}"
    yield from probes


def _where(same: Iterable[Finding]) -> str:
    names = _names(same)
    return f"  {shown_hosts(names)}" if names else ""


def _names(same: Iterable[Finding]) -> list[str]:
    return sorted({finding.host for finding in same} - {""})


def shown_hosts(names: list[str]) -> str:
    """Return the names, or the first six of many and how many more there are."""
    shown = ", ".join(sorted(names)[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"


def _ranged(messages: list[str]) -> str:
    """Return the one message, or the messages as one with the range of each number."""
    if len(set(messages)) == 1:
        return messages[0]
    messages = [_ADDRESS.sub("its address", message) for message in messages]
    columns = list(zip(*(_NUMBER.findall(message) for message in messages), strict=True))
    ranges = (
        min(column, key=float)
        if len(set(column)) == 1
        else f"{min(column, key=float)} to {max(column, key=float)}"
        for column in columns
    )
    return _NUMBER.sub(lambda match: next(ranges), messages[0])


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"
