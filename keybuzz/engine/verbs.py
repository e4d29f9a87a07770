"""The verbs that only look: plan and health. (`kbz drift` also compares and remembers: keybuzz.engine.drift.)"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from keybuzz.engine.adopt.stages import foretold
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.change.guard import cluster_of
from keybuzz.engine.look.causes import of_another
from keybuzz.engine.look.judging import judged
from keybuzz.engine.look.observe import View, described, outcome_of_silence
from keybuzz.engine.look.resting import in_maintenance
from keybuzz.engine.look.survey import Survey, survey
from keybuzz.engine.memory.first_install import first_installs
from keybuzz.engine.memory.journal import HostRecord
from keybuzz.engine.memory.outcomes import in_journal, remember, report_of
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.access import Access
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Quorum
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.site.module import Module

_OUTCOMES = {
    Level.OK: Outcome.OK,
    Level.WARN: Outcome.OK,
    Level.UNKNOWN: Outcome.UNKNOWN,
    Level.CRITICAL: Outcome.FAILED,
}
"""How a host's worst finding is remembered."""


def look(
    workspace: Workspace,
    verb: str,
    modules: tuple[Module, ...],
    selected: frozenset[str],
    access: Access = Access.LOOK,
    deadline: float | None = None,
) -> Report:
    """Survey the hosts and report: for health. Nothing is written, unless `access` lets probes be.

    Hosts that have not answered `deadline` seconds after the start are unknown.
    """
    started = time.monotonic()
    present = workspace.present(selected)
    found = survey(workspace, modules, present, access, deadline, described)
    report = looked(workspace, verb, found, selected - present, started)
    return replace(report, quorums=_quorums(workspace, found))


def planned(workspace: Workspace, modules: tuple[Module, ...], selected: frozenset[str]) -> Report:
    """Survey the hosts and report what would change, and the stages that a run would take. Nothing is written."""
    started = time.monotonic()
    present = workspace.present(selected)
    found = survey(workspace, modules, present, task=described)
    site = workspace.site
    view = View(found.descriptions, found.snapshot, present, site.digest_key)
    lives = {module.name: view.live(module, site) for module in found.modules}
    freeze = Freeze(frozenset(site.policies.freeze), NO_LIFT, first_installs(workspace))
    stages = foretold(site, found.modules, lives, freeze)
    return replace(looked(workspace, "plan", found, selected - present, started), stages=stages)


def looked(
    workspace: Workspace, verb: str, found: Survey, absent: frozenset[str], started: float
) -> Report:
    """Return the report of a survey for a verb that changes nothing; `started` is a moment of the monotonic clock."""
    hosts = {host: _of_host(host, found) for host in sorted(expected(workspace, found))}
    report = report_of(workspace, verb, found, hosts, time.monotonic() - started)
    return replace(report, absent=tuple(sorted(absent)))


def _quorums(workspace: Workspace, found: Survey) -> dict[str, Quorum]:
    """Return how many members each cluster may still lose. All of them were asked, selected or not."""
    site, every = workspace.site, frozenset(found.descriptions)
    view = View(found.descriptions, found.snapshot, every, site.digest_key)
    quorums = {}
    for module in found.modules:
        if module.members_up is not None:
            cluster = cluster_of(module, judged(module, view.live(module, site))[0])
            up = len(cluster.up & cluster.members)
            quorums[module.name] = Quorum(len(cluster.members), up, cluster.spare)
    return quorums


def expected(workspace: Workspace, found: Survey) -> frozenset[str]:
    """Return the selected hosts without those in maintenance that do not answer: they are told of apart."""
    here = in_maintenance(workspace.site, workspace.clock())
    away = here.keys() & found.snapshot.unreachable.keys()
    return found.selected - away or found.selected


def _of_host(host: str, found: Survey) -> HostReport:
    if (reason := found.snapshot.unreachable.get(host)) is not None:
        return HostReport(host, outcome_of_silence(reason), what=reason)
    return HostReport(host, Outcome.OK, remaining=len(found.plan.of(host)))


def recorded(
    workspace: Workspace, verb: str, modules: tuple[Module, ...], judged: Callable[[], Report]
) -> Report:
    """Judge, and write the result into the journal, each host with its worst level: for health."""
    with in_journal(workspace, verb, modules) as number:
        report = judged()
        return remember(workspace, number, report, healths(workspace, report, modules))


def healths(
    workspace: Workspace, report: Report, modules: tuple[Module, ...]
) -> dict[str, HostRecord]:
    """Return how each host is: `--limit @unhealthy` means those that are critical, unknown or not reached.

    A finding about a whole cluster is one about each of its members, but not what is unknown of it for one's silence.
    """
    groups = {module.name: module.group for module in modules}
    worst: dict[str, Finding] = {}
    for finding in report.findings:
        if of_another(finding):
            continue
        group = groups.get(finding.check.partition(".")[0], "")
        members = workspace.site.members(group) if group and not finding.host else ()
        for host in [finding.host] if finding.host else [member.name for member in members]:
            if host not in worst or finding.level > worst[host].level:
                worst[host] = finding
    return {
        host: _record(host, item, worst.get(host)) for host, item in sorted(report.hosts.items())
    }


def _record(host: str, item: HostReport, worst: Finding | None) -> HostRecord:
    if item.outcome is not Outcome.OK or worst is None:
        return HostRecord(host, item.outcome, 0, item.what)
    said = "" if worst.level is Level.OK else f": {worst.check}"
    return HostRecord(host, _OUTCOMES[worst.level], 0, f"{worst.level.word}{said}")
