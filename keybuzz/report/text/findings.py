"""Findings as text: causes first and worst first, what follows from each under it, good ones counted. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.reports.folding import folded, steady
from keybuzz.report.screen.fit import WIDTH, advice, broken
from keybuzz.report.screen.hosts import count, shown_hosts

_INDENT = 9
_FEW = 6
"""Checks that follow from one cause and are told one by one; more are counted by module."""


def findings_text(findings: Iterable[Finding], *, every: bool, width: int = WIDTH) -> str:
    """Return findings; the same one on many hosts is one line with the list, whatever its numbers are."""
    found = list(findings)
    bad = [finding for finding in found if finding.level > Level.OK]
    roots = {finding.check for finding in bad if not finding.cause}
    lines: list[str] = []
    told: set[str] = set()
    for fold in folded(finding for finding in bad if finding.cause not in roots):
        where = f"  {shown_hosts(fold.hosts)}" if fold.hosts else ""
        message = f": {fold.message}" if fold.message else ""
        lines += broken(f"{fold.level.word:<8} {fold.check}{where}{message}", width, _INDENT + 2)
        if fold.hint:
            lines += advice(f"{'':{_INDENT}}→ {fold.hint}", width)
        if fold.check not in told:
            lines += _consequences(fold.check, bad, width)
            told.add(fold.check)
    if every:
        for line in _good(finding for finding in found if finding.level is Level.OK):
            lines += broken(line, width, _INDENT + 2)
    return "\n".join(lines)


def finding_line(finding: Finding) -> str:
    """Return one finding as one line that stays the same while only its numbers move."""
    where = f" {finding.host}" if finding.host else ""
    return f"{finding.level.word} {finding.check}{where}: {steady(finding.message)}"


def _consequences(cause: str, bad: Iterable[Finding], width: int) -> Iterator[str]:
    """Yield what follows from a cause: each check with its hosts, or of many only how many there are."""
    grouped: dict[str, set[str]] = defaultdict(set)
    for finding in bad:
        if finding.cause == cause:
            grouped[finding.check] |= {finding.host} - {""}
    if not grouped:
        return
    if len(grouped) > _FEW:
        parts = _by_module(grouped)
    else:
        parts = [
            f"{check}  {shown_hosts(hosts)}" if hosts else check
            for check, hosts in sorted(grouped.items())
        ]
    line = f"{'':{_INDENT}}so also:"
    for number, part in enumerate(parts):
        text = f" {part}{';' * (number + 1 < len(parts))}"
        if len(line) + len(text) > width and not line.endswith(":"):
            yield line
            line = f"{'':{_INDENT + 8}}"
        line += text
    yield from broken(line, width, _INDENT + 9)


def _by_module(grouped: dict[str, set[str]]) -> list[str]:
    checks: dict[str, int] = defaultdict(int)
    hosts: dict[str, set[str]] = defaultdict(set)
    for check, where in grouped.items():
        module = check.partition(".")[0]
        checks[module] += 1
        hosts[module] |= where
    return [
        f"{module} ({count(number, 'check')}"
        + (f" on {count(len(hosts[module]), 'host')})" if hosts[module] else ")")
        for module, number in sorted(checks.items())
    ]


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
        where = f" on {count(len(hosts[module]), 'host')}" if hosts[module] else ""
        yield f"{Level.OK.word:<8} {module}: {count(len(ids), 'check')}{where}"
    yield from probes
