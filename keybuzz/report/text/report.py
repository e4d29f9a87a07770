"""Reports as text for people: calm, complete, readable at 100 columns and without colour. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Topology
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Action, Change, NotApplicable, Plan
from keybuzz.model.core.resource import Value
from keybuzz.model.core.visible import one_line
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.report.text.drift import drift_text, drift_words
from keybuzz.report.text.findings import findings_text, shown_hosts

_SIGNS = {Action.CREATE: "+", Action.UPDATE: "~", Action.LATER: "?"}
_SHORTEST_DIGEST = 16
_CHANGING = ("run", "rotate", "recover", "restart", "remove-account")
_ADDRESS = re.compile(r"\b\d+\.\d+\.\d+\.\d+(:\d+)?")


def report_text(report: Report) -> str:
    """Return everything a verb has to say at its end."""
    sections: list[str] = []
    if report.verb in ("plan", "drift"):
        sections.append(plan_text(report.plan))
    away: set[str] = set()
    sections.append(drift_text(report))
    unfinished = report.verb in _CHANGING and any(item.remaining for item in report.hosts.values())
    if report.verb in ("health", *_CHANGING) and not unfinished:
        told = _told_once(report)
        sections.append(findings_text(told, every=report.verb == "health"))
        away = {finding.host for finding in told if _repeats(finding, report)}
        sections += [topology_text(topology) for topology in report.topologies]
    sections.append(hosts_text(item for item in report.hosts.values() if item.host not in away))
    if report.error:
        sections.append(report.error)
    sections += [f"warning: {warning}" for warning in report.warnings]
    sections.append(last_line(report))
    return "\n\n".join(section for section in sections if section) + "\n"


def _told_once(report: Report) -> list[Finding]:
    """Return the findings but those that only repeat why a host is away, and explain none: its line says so."""
    roots = {finding.cause for finding in report.findings}
    return [
        finding
        for finding in report.findings
        if finding.cause or finding.check in roots or not _repeats(finding, report)
    ]


def _repeats(finding: Finding, report: Report) -> bool:
    host = report.hosts.get(finding.host)
    away = host is not None and host.outcome is Outcome.UNREACHABLE and host.what == finding.message
    return away and finding.level is Level.UNKNOWN


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
    return "absent" if value is None else one_line(str(value))


def _not_applicable(items: Iterable[NotApplicable]) -> Iterator[str]:
    hosts: dict[tuple[str, str], int] = Counter((item.identity, item.reason) for item in items)
    for (identity, reason), count in sorted(hosts.items()):
        yield f"not applicable on {count} host{'s' * (count != 1)}: {identity}: {reason}"


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


def hosts_text(hosts: Iterable[HostReport]) -> str:
    """Return the hosts that did not end well; the same reason on many hosts is one line with the list."""
    grouped: dict[tuple[Outcome, int, str, str], list[HostReport]] = defaultdict(list)
    for item in hosts:
        if item.outcome not in (Outcome.OK, Outcome.CHANGED):
            reason = _ADDRESS.sub("its address", item.what)
            grouped[item.outcome, item.remaining, reason, item.hint].append(item)
    lines: list[str] = []
    for (outcome, remaining, reason, hint), items in grouped.items():
        left = f" ({_count(remaining, 'change')} not made)" if remaining else ""
        what = items[0].what if len(items) == 1 else reason
        names = shown_hosts([item.host for item in items])
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
    levels = Counter(finding.level for finding in report.findings if not finding.cause)
    following = sum(bool(finding.cause) for finding in report.findings)
    if report.verb in ("health", *_CHANGING):
        found = [
            f"{levels[level]} {level.word}"
            for level in sorted(Level, reverse=True)
            if levels[level]
        ]
        words.append("checks: " + ", ".join(found))
        if following:
            words[-1] += f", {following} that follow{'s' * (following == 1)}"
    run = f"run {report.number}: " if report.number else ""
    return f"{run}{'; '.join(words)}; {report.seconds:.1f} s; exit {int(report.exit_code)}"
