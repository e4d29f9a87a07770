"""From what happened to a report, and from a report to the journal."""

from __future__ import annotations

import time
from dataclasses import replace

from keybuzz.engine.journal import HostRecord
from keybuzz.engine.survey import Survey
from keybuzz.engine.workspace import Workspace
from keybuzz.model.outcome import Outcome
from keybuzz.model.plan import Plan
from keybuzz.model.record import plan_text
from keybuzz.model.report import HostReport, Report


def report_of(
    workspace: Workspace,
    verb: str,
    found: Survey,
    hosts: dict[str, HostReport],
    seconds: float,
    plan: Plan | None = None,
) -> Report:
    """Return the report of a survey."""
    return Report(
        verb=verb,
        modules=tuple(module.name for module in found.modules),
        hosts=hosts,
        plan=found.plan if plan is None else plan,
        findings=found.findings,
        topologies=found.topologies,
        seconds=seconds,
        round_trips=workspace.round_trips(),
    )


def remember(workspace: Workspace, number: int, report: Report) -> Report:
    """Write a report into the journal; return it with its number there."""
    drifted = report.verb == "drift"
    hosts = {
        host: HostRecord(
            host,
            Outcome.CHANGED if drifted and item.remaining else item.outcome,
            item.remaining if drifted else item.changed,
            item.what,
        )
        for host, item in report.hosts.items()
    }
    workspace.journal.end(
        number, time.time(), int(report.exit_code), hosts, plan_text(report.plan), report.error
    )
    return replace(report, number=number)
