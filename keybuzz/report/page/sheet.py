"""What every verb that looks has in common for machines that watch: findings, hosts, an exit code. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Quorum
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.record import finding_of
from keybuzz.model.reports.report import Report


@dataclass(frozen=True, slots=True)
class Sheet:
    """One verb's answer, as JUnit, Prometheus and Nagios show it."""

    verb: str
    exit_code: int
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    """Judged by checks; empty for a verb that compares."""
    silent: Mapping[str, str] = field(default_factory=dict)
    """Selected hosts that did not answer, and why."""
    selected: tuple[str, ...] = ()
    differences: Mapping[str, tuple[str, ...]] | None = None
    """By host that answered: what is not as described; None for a verb that does not compare."""
    quorums: Mapping[str, Quorum] = field(default_factory=dict)
    """By module; of a verb that shows clusters."""
    error: str = ""
    number: int = 0
    """Number in the journal; 0 when the verb is not recorded."""

    def count(self, level: Level) -> int:
        """Return how many findings have a level."""
        return sum(finding.level is level for finding in self.findings)


def sheet_of(report: Report) -> Sheet:
    """Return the sheet of a report: checks for health, differences for plan and drift."""
    compares = report.verb in ("plan", "drift")
    silent = {
        host: item.what or item.outcome.value
        for host, item in report.hosts.items()
        if item.outcome in (Outcome.UNREACHABLE, Outcome.UNKNOWN)
    }
    differences = {
        host: tuple(change.identity for change in report.plan.of(host))
        for host in report.hosts
        if host not in silent
    }
    return Sheet(
        verb=report.verb,
        exit_code=int(report.exit_code),
        seconds=report.seconds,
        findings=() if compares else report.findings,
        silent=silent,
        selected=tuple(report.hosts),
        differences=differences if compares else None,
        quorums=report.quorums,
        error=report.error,
        number=report.number,
    )


def sheet_of_document(document: Mapping[str, Any]) -> Sheet:
    """Return the sheet of a report that was kept as a document (keybuzz.model.core.record), as `sheet_of` made it."""
    compares = document["verb"] in ("plan", "drift")
    silent = {
        host: item["what"] or item["outcome"]
        for host, item in document["hosts"].items()
        if item["outcome"] in (Outcome.UNREACHABLE.value, Outcome.UNKNOWN.value)
    }
    differences: dict[str, list[str]] = {
        host: [] for host in document["hosts"] if host not in silent
    }
    for change in document["plan"]["changes"]:
        if change["host"] in differences:
            differences[change["host"]].append(change["resource"])
    return Sheet(
        verb=document["verb"],
        exit_code=document["exit_code"],
        seconds=document["seconds"],
        findings=() if compares else tuple(finding_of(item) for item in document["findings"]),
        silent=silent,
        selected=tuple(document["hosts"]),
        differences={host: tuple(found) for host, found in differences.items()}
        if compares
        else None,
        quorums={
            module: Quorum(item["members"], item["up"], item["spare"])
            for module, item in document.get("quorums", {}).items()  # an older kbz kept none
        },
        error=document["error"] or "",
        number=document["run"] or 0,
    )


def module_of(check: str) -> str:
    """Return the module that a check id belongs to: the word before its first point."""
    return check.partition(".")[0]
