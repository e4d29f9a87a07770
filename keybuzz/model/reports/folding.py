"""Equal faults on many hosts are one entry: what makes them differ is no cause. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from keybuzz.model.core.finding import Finding, Level

_NUMBER = re.compile(r"(?<![\w.:/-])\d+(?:\.\d+)?(?![\w.:/-])")
_ADDRESS = re.compile(r"\b\d+\.\d+\.\d+\.\d+(:\d+)?")

_NAMED = 6
"""Hosts that a proposed command names; a longer line is nothing to read or to paste."""


@dataclass(frozen=True, slots=True)
class Fold:
    """The same finding on one or many hosts."""

    level: Level
    check: str
    message: str
    """Each number that differs is a range."""
    hint: str
    """Names all hosts where it named one; of many the first."""
    hosts: tuple[str, ...]
    """Empty for a finding about a whole cluster."""
    cause: str = ""


def placeless(text: str, host: str = "") -> str:
    """Return a text without what only says where: the host's name and any address."""
    text = _ADDRESS.sub("its address", text)
    return re.sub(rf"\b{re.escape(host)}\b", "the host", text) if host else text


def folded(findings: Iterable[Finding]) -> tuple[Fold, ...]:
    """Return findings above ok, worst first; the same on many hosts is one, whatever its addresses and numbers are."""
    grouped: dict[tuple[Level, str, str, str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.level > Level.OK:
            message = _NUMBER.sub("0", placeless(finding.message, finding.host))
            key = (finding.level, finding.check, message, _hint(finding), finding.cause)
            grouped[key].append(finding)
    return tuple(
        _fold(same, hint)
        for (_, _, _, hint, _), same in sorted(
            grouped.items(), key=lambda item: (-item[0][0], item[0][1])
        )
    )


def by_reason(reasons: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return hosts by the reason why they are away; one alone keeps the words that name its place."""
    grouped: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for host, reason in reasons:
        grouped[placeless(reason, host)].append((host, reason))
    return {
        same[0][1] if len(same) == 1 else reason: tuple(host for host, _ in same)
        for reason, same in grouped.items()
    }


def steady(message: str) -> str:
    """Return a message that stays the same while only its numbers move."""
    return _NUMBER.sub("…", message)


def _fold(same: list[Finding], hint: str) -> Fold:
    hosts = tuple(sorted({finding.host for finding in same} - {""}))
    first = same[0]
    shown = hint.format(host=",".join(hosts[:_NAMED]))
    if len(hosts) > _NAMED and "{host}" in hint:
        shown = f"{hint.format(host=hosts[0])}  (the first of {len(hosts)})"
    return Fold(first.level, first.check, _ranged(same), shown, hosts, first.cause)


def _hint(finding: Finding) -> str:
    """Return the hint with a place for the host that it names, so that many hosts have one hint."""
    hint = finding.hint.replace("{", "{{").replace("}", "}}")
    return hint.replace(finding.host, "{host}") if finding.host else hint


def _ranged(same: list[Finding]) -> str:
    """Return the one message, or the messages as one with the range of each number."""
    if len({finding.message for finding in same}) == 1:
        return same[0].message
    messages = [placeless(finding.message, finding.host) for finding in same]
    columns = list(zip(*(_NUMBER.findall(message) for message in messages), strict=True))
    ranges = (
        min(column, key=float)
        if len(set(column)) == 1
        else f"{min(column, key=float)} to {max(column, key=float)}"
        for column in columns
    )
    return _NUMBER.sub(lambda match: next(ranges), messages[0])
