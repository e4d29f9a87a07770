"""From what happened to a report, and from a report to the journal."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from keybuzz.engine.journal import HostRecord
from keybuzz.engine.survey import Survey
from keybuzz.engine.workspace import Workspace
from keybuzz.model.errors import KbzError
from keybuzz.model.outcome import Outcome
from keybuzz.model.plan import Plan
from keybuzz.model.record import plan_text
from keybuzz.model.report import HostReport, Report
from keybuzz.site.module import Module


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


@contextmanager
def in_journal(workspace: Workspace, verb: str, modules: Iterable[Module]) -> Iterator[int]:
    """Begin an entry of the journal and yield its number; an error that leaves no report ends it in its own words."""
    names = tuple(module.name for module in modules)
    root = workspace.site.root
    number = workspace.journal.begin(verb, (workspace.command,), names, time.time(), root)
    try:
        yield number
    except KbzError as error:
        workspace.journal.end(number, time.time(), int(error.code), {}, "", str(error))
        raise


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
