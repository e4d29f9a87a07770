"""Reports as text for people: calm, complete, readable at 100 columns and without colour. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from keybuzz.model.finding import Finding, Level
from keybuzz.model.live import Topology
from keybuzz.model.outcome import Outcome
from keybuzz.model.plan import Action, Change, NotApplicable, Plan
from keybuzz.model.report import HostReport, Report
from keybuzz.model.resource import Value
from keybuzz.report.drift import drift_text, drift_words

_SIGNS = {Action.CREATE: "+", Action.UPDATE: "~", Action.LATER: "?"}
_SHORTEST_DIGEST = 16
_CHANGING = ("run", "rotate", "recover", "restart")
_ADDRESS = re.compile(r"\b\d+\.\d+\.\d+\.\d+(:\d+)?")


def report_text(report: Report) -> str:
    """Return everything a verb has to say at its end."""
    sections: list[str] = []
    if report.verb in ("plan", "drift"):
        sections.append(plan_text(report.plan))
    sections.append(drift_text(report))
    unfinished = report.verb in _CHANGING and any(item.remaining for item in report.hosts.values())
    if report.verb in ("health", *_CHANGING) and not unfinished:
        sections.append(findings_text(_told_once(report), every=report.verb == "health"))
        sections += [topology_text(topology) for topology in report.topologies]
    sections.append(hosts_text(report))
    if report.error:
        sections.append(report.error)
    sections += [f"warning: {warning}" for warning in report.warnings]
    sections.append(last_line(report))
    return "\n\n".join(section for section in sections if section) + "\n"


def _told_once(report: Report) -> Iterator[Finding]:
    """Yield the findings but those that only repeat why a host can not be reached: its own line says so."""
    away = {
        (item.host, item.what)
        for item in report.hosts.values()
        if item.outcome is Outcome.UNREACHABLE
    }
    for finding in report.findings:
        if finding.level is not Level.UNKNOWN or (finding.host, finding.message) not in away:
            yield finding


def plan_text(plan: Plan) -> str:
    """Return the plan, host by host, each change with its differences."""
    lines: list[str] = []
    for host, changes in plan.changes.items():
        lines.append(f"{host}")
        for change in changes:
            lines += [f"  {line}" for line in _change_lines(change)]
    lines += list(_not_applicable(plan.not_applicable))
    return "\n".join(lines)


def _change_lines(change: Change) -> Iterator[str]:
    restart = "  (interrupts a running service)" if change.disrupts else ""
    yield f"{_SIGNS[change.action]} {change.identity}{restart}"
    if change.action is Action.LATER:
        yield f"    known after apply: {change.reason}"
    elif change.diff:
        yield from (f"    {line}" for line in change.diff.rstrip("\n").split("\n"))
    if change.action is Action.UPDATE:
        for item in change.differences:
            if not (item.attribute == "digest" and change.diff):
                yield f"    {item.attribute}: {_shown(item.observed)} → {_shown(item.wanted)}"


def _shown(value: Value) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    if isinstance(value, str) and value.startswith(("sha256:", "hmac-sha256:")):
        return value[: value.index(":") + _SHORTEST_DIGEST]
    return "absent" if value is None else str(value)


def _not_applicable(items: Iterable[NotApplicable]) -> Iterator[str]:
    hosts: dict[tuple[str, str], int] = Counter((item.identity, item.reason) for item in items)
    for (identity, reason), count in sorted(hosts.items()):
        yield f"not applicable on {count} host{'s' * (count != 1)}: {identity}: {reason}"


def findings_text(findings: Iterable[Finding], *, every: bool) -> str:
    """Return findings, worst first; the same finding on many hosts is one line with the list."""
    grouped: dict[tuple[Level, str, str, str], list[str]] = defaultdict(list)
    for finding in findings:
        if every or finding.level > Level.OK:
            message = "" if finding.level is Level.OK else finding.message
            key = (finding.level, finding.check, message, finding.hint)
            grouped[key].append(finding.host)
    lines: list[str] = []
    for (level, check, message, hint), hosts in sorted(
        grouped.items(), key=lambda item: (-item[0][0], item[0][1])
    ):
        names = [host for host in hosts if host]
        where = f"  {_hosts(names)}" if names else ""
        lines.append(f"{level.word:<8} {check}{where}{': ' + message if message else ''}")
        if hint and level > Level.OK:
            lines.append(f"         → {hint}")
    return "\n".join(lines)


def _hosts(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"


def topology_text(topology: Topology) -> str:
    """Return a cluster as a small table."""
    heads = ["host", "role", "state"]
    for member in topology.members:
        heads += [name for name, _ in member.details if name not in heads]
    rows = [heads]
    for member in topology.members:
        details = dict(member.details)
        rows.append(
            [member.host, member.role, member.state, *(details.get(h, "") for h in heads[3:])]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    lines = [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([f"cluster {topology.cluster}", *lines])


def hosts_text(report: Report) -> str:
    """Return the hosts that did not end well; the same reason on many hosts is one line with the list."""
    grouped: dict[tuple[Outcome, int, str, str], list[HostReport]] = defaultdict(list)
    for item in report.hosts.values():
        if item.outcome not in (Outcome.OK, Outcome.CHANGED):
            reason = _ADDRESS.sub("its address", item.what)
            grouped[item.outcome, item.remaining, reason, item.hint].append(item)
    lines: list[str] = []
    for (outcome, remaining, reason, hint), items in grouped.items():
        left = f" ({_count(remaining, 'change')} not made)" if remaining else ""
        what = items[0].what if len(items) == 1 else reason
        names = _hosts([item.host for item in items])
        lines.append(f"{outcome.value:<11} {names}{left}{': ' + what if what else ''}")
        if hint:
            lines.append(f"            → {hint}")
    return "\n".join(lines)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def last_line(report: Report) -> str:
    """Return the one line that says how it ended."""
    answered, selected = report.checked
    words = [f"checked {answered} of {selected} hosts"]
    if report.verb in _CHANGING:
        made = sum(item.changed for item in report.hosts.values())
        words.append(f"{_count(made, 'change')} made")
    elif report.verb in ("plan", "drift"):
        word = "difference" if report.verb == "drift" else "change"
        size = report.plan.size
        words.append(
            f"{size} {word}{'s' * (size != 1)}" + ("" if report.verb == "drift" else " to make")
        )
    if report.drift is not None:
        words.append(drift_words(report))
    levels = Counter(finding.level for finding in report.findings)
    if report.verb in ("health", *_CHANGING):
        found = [
            f"{levels[level]} {level.word}"
            for level in sorted(Level, reverse=True)
            if levels[level]
        ]
        words.append("checks: " + ", ".join(found))
    run = f"run {report.number}: " if report.number else ""
    return f"{run}{'; '.join(words)}; {report.seconds:.1f} s; exit {int(report.exit_code)}"
