"""Reports as text for people: calm, complete, readable at 100 columns and without colour. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Topology
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.reports.drift import DriftItem, Kind
from keybuzz.model.reports.folding import placeless
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.report.screen.fit import WIDTH, advice, broken, ended, fit, table
from keybuzz.report.screen.handover import handover_text
from keybuzz.report.screen.hosts import MOST, count, shown_hosts
from keybuzz.report.screen.plan import plan_text
from keybuzz.report.screen.stages import stages_text
from keybuzz.report.text.drift import drift_text, drift_words
from keybuzz.report.text.findings import findings_text

_CHANGING = ("run", "rotate", "recover", "restart", "remove-account", "switchover", "maintenance")


def report_text(report: Report, width: int = WIDTH) -> str:
    """Return everything a verb has to say at its end."""
    sections: list[str] = []
    if report.verb in ("plan", "drift"):
        sections.append(plan_text(report.plan, report.topologies, report.checked[0], width))
        sections.append(stages_text(report.stages, width))
    away = {item.host for item in _silent(report)}
    sections.append(fit(drift_text(report), width))
    unfinished = report.verb in _CHANGING and any(item.remaining for item in report.hosts.values())
    if report.verb in ("health", *_CHANGING) and not unfinished:
        told = _told_once(report)
        sections.append(findings_text(told, every=report.verb == "health", width=width))
        away = {finding.host for finding in told if _repeats(finding, report)}
        sections += [topology_text(topology, report, width) for topology in report.topologies]
    left = (item for item in report.hosts.values() if item.host not in away)
    sections.append(hosts_text(left, width))
    if report.handover is not None:
        sections.append(handover_text(report.handover, width))
    if report.error:
        sections.append(fit(report.error, width))
    sections += [fit(f"warning: {warning}", width) for warning in report.warnings]
    if report.resting:
        sections.append(resting_text(report.resting, width))
    if report.absent:
        sections.append(absent_text(report.absent, width))
    sections.append("\n".join(ended(last_line(report), width)))
    return "\n\n".join(section for section in sections if section) + "\n"


def _silent(report: Report) -> Iterator[DriftItem]:
    """Yield what says of a host all that its own line would say: that it is away, and why."""
    for item in report.drift.present if report.drift else ():
        host = report.hosts.get(item.host)
        if host is None or item.kind is not Kind.SILENT:
            continue
        if (host.outcome, host.what, host.hint) == (Outcome.UNREACHABLE, item.what, ""):
            yield item


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


def resting_text(hosts: Mapping[str, str], width: int = WIDTH) -> str:
    """Return a line for each host in maintenance."""
    lines = (broken(f"{'-':<8} {host}: {words}", width, 9) for host, words in hosts.items())
    return "\n".join(line for found in lines for line in found)


def absent_text(hosts: tuple[str, ...], width: int = WIDTH) -> str:
    """Return how many servers are not in this lab: nothing is said of them."""
    line = f"{'-':<8} {count(len(hosts), 'server')} not in this lab: {shown_hosts(hosts)}"
    return "\n".join(broken(line, width, 11))


def topology_text(topology: Topology, report: Report, width: int = WIDTH) -> str:
    """Return a cluster as a small table; one of which no member answers is one line."""
    silent = {h for h, item in report.hosts.items() if item.outcome is Outcome.UNREACHABLE}
    silent |= set(report.absent)
    names = [member.host for member in topology.members]
    if names and set(names) <= silent:
        return f"cluster {topology.cluster}: no member answers"
    heads = ["host", "role", "state"]
    for member in topology.members:
        heads += [name for name, _ in member.details if name not in heads]
    rows = [heads]
    for member in topology.members:
        details = dict(member.details)
        rows.append(
            [member.host, member.role, member.state, *(details.get(h, "") for h in heads[3:])]
        )
    return "\n".join([f"cluster {topology.cluster}", *table(rows, width, "  ")])


def hosts_text(hosts: Iterable[HostReport], width: int = WIDTH) -> str:
    """Return the hosts that did not end well; the same reason on many hosts is one line with the list."""
    grouped: dict[tuple[Outcome, int, str, str], list[HostReport]] = defaultdict(list)
    for item in hosts:
        if item.outcome not in (Outcome.OK, Outcome.CHANGED):
            reason, hint = placeless(item.what, item.host), placeless(item.hint, item.host)
            grouped[item.outcome, item.remaining, reason, hint].append(item)
    lines: list[str] = []
    for (outcome, remaining, reason, _), items in grouped.items():
        left = f" ({count(remaining, 'change')} not made)" if remaining else ""
        what = items[0].what if len(items) == 1 else reason
        names = shown_hosts([item.host for item in items])
        line = f"{outcome.value:<11} {names}{left}{': ' + what if what else ''}"
        lines += broken(line, width, 12)
        meant = [item.host for item in items] if len(items) <= MOST else [items[0].host]
        if hint := items[0].hint.replace(items[0].host, ",".join(meant)):
            lines += advice(f"            → {hint}", width)
    return "\n".join(lines)


def _compared(report: Report) -> str:
    """Return how much differs; of hosts that were not read nothing is said."""
    answered, selected = report.checked
    if not answered and selected:
        return "nothing could be compared"
    of = "" if answered == selected else f" on the {count(answered, 'host')} read"
    if report.verb == "drift":
        return count(report.plan.size, "difference") + of
    return count(report.plan.size, "change") + " to make" + of


def last_line(report: Report) -> str:
    """Return the one line that says how it ended."""
    answered, selected = report.checked
    words = [f"checked {answered} of {selected} hosts"]
    if report.resting:
        words[0] += f", {len(report.resting)} in maintenance"
    if report.absent:
        words[0] += f", {len(report.absent)} not in this lab"
    if report.verb in _CHANGING:
        made = sum(item.changed for item in report.hosts.values())
        words.append(f"{count(made, 'change')} made")
    elif report.verb in ("plan", "drift"):
        words.append(_compared(report))
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
