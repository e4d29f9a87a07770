"""`kbz status` as one calm screen, and as a document. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Member
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.record import FORMAT_VERSION, finding_document, topology_document
from keybuzz.model.reports.folding import folded
from keybuzz.model.reports.status import ClusterStatus, Frozen, Passed, Status
from keybuzz.report.screen.fit import WIDTH, broken, ended
from keybuzz.report.screen.hosts import shown_hosts
from keybuzz.report.text.findings import finding_line

_INDENT = " " * 10
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_ROLE = 10


def status_text(status: Status, width: int = WIDTH) -> str:
    """Return the whole screen. Each line stands for itself: without colour, and for grep."""
    lines: list[str] = []
    for cluster in status.clusters:
        lines += (*_cluster(cluster, width), "")
    if status.elsewhere:
        head = f"{'-':<9} {'not in this lab':<14} "
        lines += (*broken(f"{head}{', '.join(status.elsewhere)}", width, 25), "")
    lines += _hosts(status, width)
    lines += ended(last_line(status), width)
    return "\n".join(lines) + "\n"


def _cluster(cluster: ClusterStatus, width: int) -> Iterator[str]:
    head = f"{cluster.level.word:<9} {cluster.module:<14} {quorum_words(cluster):<15} {cluster.frozen.value:<7}"
    if cluster.silent:
        yield from broken(f"{head} no member answers", width, 25)
        return
    told = f"{head} run {_passed(cluster.run)}; drift {_passed(cluster.drift)}".rstrip()
    yield from broken(told, width, 25)
    if cluster.frozen is not Frozen.VIRGIN:
        yield from _members(cluster.topology.members, width)
    yield from _troubles(cluster.findings, cluster.module, width)


def quorum_words(cluster: ClusterStatus) -> str:
    """Say how many are up, and how many of them may still stop."""
    up = f"{cluster.up}/{cluster.members} up"
    if cluster.spare < 0:
        return f"{up}, needs {cluster.needed}"
    return f"{up}, {cluster.spare} spare"


def _passed(passed: Passed | None) -> str:
    if passed is None:
        return "never"
    end = "no end" if passed.exit_code is None else f"exit {passed.exit_code}"
    return f"{ago(passed.seconds)} ({end})"


def ago(seconds: float) -> str:
    """Return a time span in its largest unit."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def _members(members: Iterable[Member], width: int) -> Iterator[str]:
    """Yield the members of each role, who leads first."""
    roles: dict[str, list[str]] = defaultdict(list)
    for member in members:
        roles[member.role].append(_member(member))
    for role in sorted(roles, key=lambda role: (len(roles[role]) > 1, role)):
        yield from _wrapped(f"{_INDENT}{role:<{_ROLE}}", roles[role], width)


def _member(member: Member) -> str:
    """Return a member with what an operator looks at daily: its state, and how far it is behind."""
    details = dict(member.details)
    known = [details[name] for name in ("leader", "master", "writer", "nodes") if name in details]
    leads = member.role in ("leader", "master")
    lag = f"lag {details['lag']}" if details.get("lag") is not None and not leads else ""
    words = [member.state, *(f"→ {name}" for name in known), lag]
    return f"{member.host} {' '.join(word for word in words if word)}".rstrip()


def _wrapped(head: str, parts: Iterable[str], width: int) -> Iterator[str]:
    line, empty = f"{head} ", True
    for part in parts:
        if not empty and len(line) + len(part) + 3 > width:
            yield f"{line},"
            line, empty = " " * (len(head) + 1), True
        line += part if empty else f", {part}"
        empty = False
    yield line


def _troubles(findings: Iterable[Finding], module: str, width: int) -> Iterator[str]:
    """Yield the two worst, and where the rest is told."""
    grouped: dict[tuple[Level, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        grouped[finding.level, finding.check].append(finding)
    shown = list(grouped.items())
    for (level, check), same in shown[:2]:
        where = shown_hosts({f.host for f in same} - {""})
        message = f"follows from {same[0].cause}" if same[0].cause else folded(same)[0].message
        text = f"{_INDENT}{level.word:<{_ROLE}} {check}{'  ' + where if where else ''}: {message}"
        yield from broken(text, width, 23)
    if len(shown) > 2:
        yield f"{_INDENT}{len(shown) - 2} more: {proposed('kbz', 'health', module)}"


def _hosts(status: Status, width: int) -> Iterator[str]:
    answering = len(status.hosts) - len(status.unreachable)
    level = max((finding.level for finding in status.findings), default=Level.OK)
    absent = f"; {len(status.absent)} not in this lab" if status.absent else ""
    yield f"{level.word:<9} {'hosts':<14} {answering} of {len(status.hosts)} answer{absent}"
    yield from _troubles(status.findings, "base", width)


def last_line(status: Status) -> str:
    """Return the one line that says how it ended."""
    answering = len(status.hosts) - len(status.unreachable)
    well = sum(cluster.level <= Level.WARN for cluster in status.clusters)
    words = f"{well} of {len(status.clusters)} clusters are well"
    end = f"{status.seconds:.1f} s; exit {int(status.exit_code)}"
    return f"checked {answering} of {len(status.hosts)} hosts; {words}; {end}"


def facts(status: Status) -> Iterator[str]:
    """Yield what a watcher wants to hear of when it comes or goes, one line each."""
    for host, reason in status.unreachable:
        yield f"{host} does not answer: {reason}"
    for cluster in status.clusters:
        for member in cluster.topology.members:
            yield f"{cluster.module}: {member.host} is {member.role}, {member.state}"
    for finding in (*status.findings, *(f for c in status.clusters for f in c.findings)):
        yield finding_line(finding)


def status_document(status: Status) -> dict[str, Any]:
    """Return the same for JSON."""
    return {
        "format_version": FORMAT_VERSION,
        "verb": "status",
        "exit_code": int(status.exit_code),
        "seconds": round(status.seconds, 3),
        "checked": {
            "answered": len(status.hosts) - len(status.unreachable),
            "selected": len(status.hosts),
        },
        "unreachable": dict(status.unreachable),
        "not_in_this_lab": list(status.absent),
        "findings": [finding_document(finding) for finding in status.findings],
        "clusters": [_document(cluster) for cluster in status.clusters],
    }


def _document(cluster: ClusterStatus) -> dict[str, Any]:
    return {
        "module": cluster.module,
        "title": cluster.title,
        "level": cluster.level.word,
        **topology_document(cluster.topology),
        "quorum": {
            "members": cluster.members,
            "up": cluster.up,
            "needed": cluster.needed,
            "spare": cluster.spare,
        },
        "frozen": cluster.frozen.value,
        "findings": [finding_document(finding) for finding in cluster.findings],
        "last_run": _passed_document(cluster.run),
        "last_drift": _passed_document(cluster.drift),
    }


def _passed_document(passed: Passed | None) -> dict[str, Any] | None:
    if passed is None:
        return None
    return {
        "run": passed.number,
        "verb": passed.verb,
        "seconds_ago": round(passed.seconds),
        "exit_code": passed.exit_code,
    }
