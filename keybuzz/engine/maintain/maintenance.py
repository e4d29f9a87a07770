"""`kbz maintenance`: a host out of service for planned work, for as long as was said.

On: the guard counts every cluster of the host, what it leads is handed over, it is drained, and policies.yaml says
until when. Off: what was drained takes work again, and the entry goes. Killed in between, the same command goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.conduct import Conductor
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.change.guard import Cluster, carried_by
from keybuzz.engine.change.run import ended, with_error
from keybuzz.engine.look.survey import Survey, judge, survey
from keybuzz.engine.memory.claims import claimed
from keybuzz.engine.memory.first_install import first_installs
from keybuzz.engine.memory.outcomes import in_journal, remember, report_of
from keybuzz.engine.memory.scope import Scope
from keybuzz.engine.roll.restart import reboots
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import KbzError, RefusedError
from keybuzz.model.core.live import Stage
from keybuzz.model.core.plan import Action, Change, Plan
from keybuzz.model.core.proposed import proposed
from keybuzz.model.host.restart import Reboot
from keybuzz.model.inventory.maintenance import Maintenance, over, resting
from keybuzz.model.reports.report import Report
from keybuzz.site.module import Module

VERB = "maintenance"


@dataclass(frozen=True, slots=True)
class OnRequest:
    """What was asked for."""

    entry: Maintenance
    note: Callable[[], None]
    """Writes the entry into policies.yaml, after the host has handed over."""
    consent: Callable[[str, tuple[Cluster, ...]], object]
    """Shown the host and the clusters that it is a member of, before anything is changed."""
    wait: float = 0.0
    timeout: float = 1800.0


@dataclass(frozen=True, slots=True)
class OffRequest:
    """What was asked for."""

    host: str
    note: Callable[[], None]
    """Takes the entry out of policies.yaml."""
    wait: float = 0.0
    timeout: float = 1800.0


def put_on(workspace: Workspace, request: OnRequest) -> Report:
    """Take a host out of service; RefusedError before anything was changed where a cluster has no spare."""
    host = request.entry.host

    def act(conductor: Conductor, found: Survey) -> None:
        stage = _interruption(host)
        clusters = _require_spare(conductor, found, stage, host)
        request.consent(host, clusters)
        snapshot = conductor.again()
        _require_spare(conductor, replace(found, snapshot=snapshot), stage, host)
        if host in snapshot.observations:
            conductor.cleared(reboots("all"), stage, snapshot)
            conductor.led.clear()  # what leads elsewhere does so until the host serves again
        request.note()

    return _worked(workspace, host, act, request.wait, request.timeout)


def take_off(workspace: Workspace, request: OffRequest) -> Report:
    """Put a host back into service; one that does not answer counts as the fault that it is."""

    def act(conductor: Conductor, found: Survey) -> None:
        if request.host in found.snapshot.observations:
            conductor.given_back(reboots("all"), _interruption(request.host), found.snapshot)
        request.note()

    return _worked(workspace, request.host, act, request.wait, request.timeout)


def listed(workspace: Workspace) -> tuple[tuple[Maintenance, bool], ...]:
    """Return every entry of policies.yaml, and whether it counts now."""
    entries = workspace.site.policies.maintenance
    here = resting(entries, workspace.clock())
    past = over(entries, workspace.clock())
    return tuple((entry, entry not in past and here[entry.host] == entry) for entry in entries)


def _interruption(host: str) -> Stage:
    """Return what the guard and the hand-overs take for the interruption: the host may stop at any moment."""
    change = Change(host, VERB, Reboot(), Action.UPDATE, (), disrupts=True)
    return Stage(f"maintenance of {host}", (change,))


def _carried(workspace: Workspace, host: str) -> tuple[Module, ...]:
    """Return the modules with a quorum of which the host is a member."""
    return carried_by(_interruption(host), all_modules(), workspace.site)


def _require_spare(
    conductor: Conductor, found: Survey, stage: Stage, host: str
) -> tuple[Cluster, ...]:
    """Return the host's clusters; RefusedError where one would have too few members without it."""
    clusters = tuple(conductor.clusters(stage, found.snapshot))
    for cluster in clusters:
        if host in cluster.up and cluster.spare < 1:
            away = sorted(cluster.members - cluster.lasting)
            raise RefusedError(
                f"{cluster.name} has no spare: {len(cluster.lasting)} of {len(cluster.members)} members are up and not"
                f" in maintenance, and it needs {max(cluster.majority, 1)}",
                where=host,
                hint=f"bring back {', '.join(away)} first"
                if away
                else f"{proposed('kbz', 'status', cluster.name)}; nothing was changed",
            )
    _require_another_worker(conductor, found, stage, clusters)
    return clusters


def _require_another_worker(
    conductor: Conductor, found: Survey, stage: Stage, clusters: tuple[Cluster, ...]
) -> None:
    """Raise RefusedError where the host is the last of a cluster's members without a vote that could take its work.

    A cluster with one such member has no other, in maintenance or not.
    """
    groups = {module.name: module.group for module in conductor.every_module}
    [host] = stage.hosts
    for cluster in clusters:
        members = {server.name for server in conductor.site.members(groups[cluster.name])}
        workers = members - cluster.members
        others = (workers - {host} - cluster.resting) & found.snapshot.observations.keys()
        if host in workers and len(workers) > 1 and not others:
            raise RefusedError(
                f"no other worker of {cluster.name} answers and is not in maintenance",
                where=host,
                hint=f"{proposed('kbz', 'maintenance')} lists them; nothing was changed",
            )


def _worked(
    workspace: Workspace,
    host: str,
    act: Callable[[Conductor, Survey], None],
    wait: float,
    timeout: float,
) -> Report:
    selected = frozenset({host})
    modules = _carried(workspace, host)
    with (
        claimed(workspace, proposed("kbz", VERB, host), selected, wait),
        in_journal(workspace, VERB, modules, Scope(selected)) as number,
    ):
        started = time.monotonic()
        workspace.cuts.allow()
        before = replace(survey(workspace, modules, selected), plan=Plan({}))
        conductor = Conductor(
            workspace.nornir,
            workspace.site,
            modules,
            all_modules(),
            before.descriptions,
            selected,
            workspace.listen,
            started + timeout,
            workspace.stop,
            Freeze(frozenset(), NO_LIFT, first_installs(workspace)),
            last=before.snapshot,
            cuts=workspace.cuts,
        )
        error = conductor.ending(lambda: act(conductor, before))
        if error is not None and not conductor.results:
            raise error  # nothing was changed
        report = _report(workspace, before, conductor, error, time.monotonic() - started)
        return remember(workspace, number, report)


def _report(
    workspace: Workspace,
    before: Survey,
    conductor: Conductor,
    error: KbzError | None,
    seconds: float,
) -> Report:
    snapshot = conductor.last or before.snapshot
    found = judge(workspace, before.modules, before.selected, conductor.descriptions, snapshot)
    after = replace(found, plan=Plan({}), findings=())
    # The host itself may be away: that is what a maintenance is for.
    answered = replace(after, snapshot=replace(snapshot, unreachable={}))
    touched = {result.change.host for result in conductor.results}
    hosts = {
        host: ended(host, answered, conductor.results, error)
        for host in sorted(before.selected | touched)
    }
    return with_error(report_of(workspace, VERB, after, hosts, seconds), error)


def until_of(text: str, now: datetime) -> datetime:
    """Return the moment that was typed, in UTC: with its zone, or a span from now such as 4h.

    ValueError for neither, OverflowError for one that no calendar has.
    """
    spans = {"m": 60, "h": 3600, "d": 86400}
    if text[-1:] in spans and text[:-1].isdecimal():
        return datetime.fromtimestamp(now.timestamp() + int(text[:-1]) * spans[text[-1]], UTC)
    found = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
