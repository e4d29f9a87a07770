"""The verbs that only look: plan, drift and health."""

from __future__ import annotations

import time

from keybuzz.engine.outcomes import in_journal, remember, report_of
from keybuzz.engine.survey import Survey, survey
from keybuzz.engine.workspace import Workspace
from keybuzz.model.outcome import Outcome
from keybuzz.model.report import HostReport, Report
from keybuzz.site.module import Module


def look(
    workspace: Workspace, verb: str, modules: tuple[Module, ...], selected: frozenset[str]
) -> Report:
    """Survey the hosts and report: for plan, drift and health. Nothing is changed."""
    started = time.monotonic()
    found = survey(workspace, modules, selected)
    hosts = {host: _seen(host, found) for host in sorted(selected)}
    return report_of(workspace, verb, found, hosts, time.monotonic() - started)


def _seen(host: str, found: Survey) -> HostReport:
    if host in found.snapshot.unreachable:
        return HostReport(host, Outcome.UNREACHABLE, what=found.snapshot.unreachable[host])
    return HostReport(host, Outcome.OK, remaining=len(found.plan.of(host)))


def recorded(
    workspace: Workspace, verb: str, modules: tuple[Module, ...], selected: frozenset[str]
) -> Report:
    """Look, and write the result into the journal: for drift."""
    with in_journal(workspace, verb, modules) as number:
        return remember(workspace, number, look(workspace, verb, modules, selected))
