"""`kbz switchover`: the lead of a cluster is handed over on purpose, and what that cost is measured.

1. the cluster is asked who leads, and every other member whether it could; 2. the operator sees that, and agrees; 3. it
is asked again; 4. writes go through the official endpoint; 5. the module's own hand-over, behind its guard and gates;
6. the daemons are asked who leads now. A hand-over changes no description, so that it is not subject to the freeze.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.conduct import Conductor
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.change.run import ended, with_error
from keybuzz.engine.look.observe import Snapshot, View
from keybuzz.engine.look.resting import in_maintenance
from keybuzz.engine.look.survey import Survey, judge, survey
from keybuzz.engine.maintain.measured import Measure, measured
from keybuzz.engine.memory.claims import claimed, spoken
from keybuzz.engine.memory.first_install import first_installs
from keybuzz.engine.memory.outcomes import in_journal, remember, report_of
from keybuzz.engine.memory.scope import Scope
from keybuzz.engine.roll.next_member import whole
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import KbzError, RefusedError, StepError, UsageError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Plan
from keybuzz.model.core.proposed import proposed
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.drill import Scenario, Workload
from keybuzz.model.reports.handover import Candidate, Handover, PlannedHandover
from keybuzz.model.reports.report import Report
from keybuzz.site.files.problems import nearest
from keybuzz.site.module import Module, Switchover

PLACE = "kbz_switchover"
"""Table, key or queue of the writes that measure; never a drill's."""
_WHOLE_TIMEOUT = 300.0
"""Seconds after the hand-over until every check must be good again."""


@dataclass(frozen=True, slots=True)
class SwitchoverRequest:
    """What was asked for."""

    name: str
    to: str = ""
    """Host that is to lead; empty: the service chooses."""
    measure: bool = True
    """Write through the official endpoint meanwhile."""
    wait: float = 0.0
    """Seconds to wait for another run's lease."""
    timeout: float = 900.0
    """Seconds for all of it."""
    consent: Callable[[PlannedHandover], bool] = lambda planned: False
    """Shown the plan before anything is changed; True when it has asked. StoppedError without a yes."""


@dataclass(frozen=True, slots=True)
class _Cluster:
    """What is handed over, by which module."""

    name: str
    module: Module
    """Whose hand-over it is: that of the cluster, or of the entry before it."""
    plan: Switchover
    members: tuple[Server, ...]
    workload: Workload | None


def names() -> tuple[str, ...]:
    """Return the clusters whose lead can be handed over."""
    return tuple(_led())


def _led() -> dict[str, Module]:
    return {m.fronts or m.name: m for m in all_modules() if m.switchover is not None}


def look(workspace: Workspace, request: SwitchoverRequest) -> Report:
    """Return what would be done. Nothing is written."""
    started = time.monotonic()
    cluster = _cluster(workspace, request)
    found = replace(_survey(workspace, cluster), plan=Plan({}))
    planned = _planned(workspace, request, cluster, found)
    handover = Handover(planned, planned.leader, unmeasured="nothing was handed over")
    hosts = {host: ended(host, found, (), None) for host in sorted(found.selected)}
    report = report_of(workspace, "switchover", found, hosts, time.monotonic() - started)
    return replace(report, handover=handover)


def switchover(workspace: Workspace, request: SwitchoverRequest) -> Report:
    """Hand over; RefusedError before anything was changed where the cluster or the candidate is not fit."""
    cluster = _cluster(workspace, request)
    module = cluster.module
    hosts = frozenset(server.name for server in (*_hosts(workspace, module), *cluster.members))
    with (
        claimed(workspace, f"{spoken('switchover', ())} {cluster.name}", hosts, request.wait),
        in_journal(workspace, "switchover", (module,), Scope(hosts)) as number,
    ):
        return remember(workspace, number, _conducted(workspace, request, cluster))


def _cluster(workspace: Workspace, request: SwitchoverRequest) -> _Cluster:
    known = _led()
    if request.name not in known:
        raise UsageError(
            f"nothing is known of a lead of {request.name} that can be handed over",
            hint=nearest(request.name, known),
        )
    site, module = workspace.site, known[request.name]
    of = {found.name: found for found in all_modules()}[request.name]
    members = site.members(of.group)
    hosts = [server.name for server in members]
    if request.to and request.to not in hosts:
        raise UsageError(
            f"{request.to} is no member of {request.name}", hint=nearest(request.to, hosts)
        )
    assert module.switchover is not None  # only such modules are known
    writes = of.drills[0].workload(site, Scenario.SWITCHOVER) if of.drills else None
    workload = replace(writes, place=PLACE) if writes and request.measure else None
    return _Cluster(request.name, module, module.switchover, members, workload)


def _hosts(workspace: Workspace, module: Module) -> tuple[Server, ...]:
    return workspace.site.members(module.group)


def _survey(workspace: Workspace, cluster: _Cluster) -> Survey:
    selected = frozenset(server.name for server in _hosts(workspace, cluster.module))
    return survey(workspace, (cluster.module,), workspace.present(selected))


def _live(workspace: Workspace, cluster: _Cluster, found: Survey, snapshot: Snapshot) -> Live:
    site = workspace.site
    return View(found.descriptions, snapshot, found.selected, site.digest_key).live(
        cluster.module, site
    )


def _planned(
    workspace: Workspace,
    request: SwitchoverRequest,
    cluster: _Cluster,
    found: Survey,
    snapshot: Snapshot | None = None,
) -> PlannedHandover:
    """Judge who leads and who could; RefusedError where the named member, or none at all, could."""
    live = _live(workspace, cluster, found, snapshot or found.snapshot)
    leader = cluster.plan.leads(live, cluster.members)
    candidates = _awake(workspace, cluster.plan.candidates(live, cluster.members))
    writes = cluster.workload
    endpoint = f"{writes.address}:{writes.port}" if writes is not None else ""
    planned = PlannedHandover(
        cluster.name, leader, candidates, request.to, endpoint, cluster.plan.lasts
    )
    if request.to != leader:
        _require_able(planned)
    if not request.to and in_maintenance(workspace.site, workspace.clock()).keys() & {
        candidate.host for candidate in candidates
    }:
        # The service would choose among all: it knows of no maintenance.
        return replace(planned, to=planned.able[0])
    return planned


def _awake(workspace: Workspace, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Return the candidates; one in maintenance cannot take over, because it may stop at any moment."""
    here = in_maintenance(workspace.site, workspace.clock())
    return tuple(
        replace(found, unable=found.unable or f"it is {here[found.host].words}")
        if found.host in here
        else found
        for found in candidates
    )


def _require_able(planned: PlannedHandover) -> None:
    hint = f"{proposed('kbz', 'health', planned.cluster)}; nothing was changed"
    named = next((c for c in planned.candidates if c.host == planned.to), None)
    if named is not None and named.unable:
        raise RefusedError(f"it cannot take over now: {named.unable}", where=named.host, hint=hint)
    if not planned.able:
        why = "; ".join(f"{found.host}: {found.unable}" for found in planned.candidates)
        raise RefusedError(
            f"no member could take over from {planned.leader}: {why or 'there is no other'}",
            where=planned.cluster,
            hint=hint,
        )


def _conducted(workspace: Workspace, request: SwitchoverRequest, cluster: _Cluster) -> Report:
    started = time.monotonic()
    workspace.cuts.allow()
    before = replace(_survey(workspace, cluster), plan=Plan({}))
    planned = _planned(workspace, request, cluster, before)
    conductor = _conductor(workspace, cluster, before, started + request.timeout)
    measure = Measure(workspace, cluster.workload)
    error = None
    if request.to != planned.leader:
        snapshot = before.snapshot
        if request.consent(planned):
            snapshot = conductor.again()
            now = _planned(workspace, request, cluster, before, snapshot)
            _require_as_agreed(planned, now)
        stage = _stage(workspace, cluster, before, planned, snapshot)
        with measured(measure):
            error = conductor.ending(
                lambda: _hand_over(conductor, cluster.module, stage, snapshot, measure)
            )
        if error is not None and not conductor.results:
            raise error  # nothing was handed over
    return _report(workspace, cluster, before, planned, conductor, measure, error, started)


def _require_as_agreed(agreed: PlannedHandover, now: PlannedHandover) -> None:
    if (agreed.leader, agreed.able) != (now.leader, now.able):
        raise RefusedError(
            f"the cluster has changed since this was shown: {now.leader} leads, and"
            f" {', '.join(now.able)} could take over",
            where=now.cluster,
            hint="nothing was changed; give the command again to see it as it is now",
        )


def _conductor(
    workspace: Workspace, cluster: _Cluster, before: Survey, deadline: float
) -> Conductor:
    return Conductor(
        workspace.nornir,
        workspace.site,
        (cluster.module,),
        all_modules(),
        before.descriptions,
        before.selected,
        workspace.listen,
        deadline,
        workspace.stop,
        Freeze(frozenset(), NO_LIFT, first_installs(workspace)),
        last=before.snapshot,
        cuts=workspace.cuts,
    )


def _stage(
    workspace: Workspace,
    cluster: _Cluster,
    before: Survey,
    planned: PlannedHandover,
    snapshot: Snapshot,
) -> Stage:
    """Return the module's own hand-over, from what the hosts said last."""
    by_name = {server.name: server for server in cluster.members}
    to = by_name[planned.to] if planned.to else None
    live = _live(workspace, cluster, before, snapshot)
    return cluster.plan.stage(live, by_name[planned.leader], to)


def _hand_over(
    conductor: Conductor, module: Module, stage: Stage, snapshot: Snapshot, measure: Measure
) -> None:
    measure.since = time.monotonic()
    if module.fronts:
        # Until all of its hosts lead to one member, the end takes back what some of them do.
        conductor.led[module.name] = module
    after = conductor.stage(module, stage, snapshot)
    conductor.led.pop(module.name, None)
    gate = whole(module, _WHOLE_TIMEOUT, frozenset())
    if module.fronts:
        # What leads elsewhere in memory is a warning of its own there; the stage has proven where it leads.
        return
    conductor.stage(module, Stage("proof", (), after=gate), after)


def _report(
    workspace: Workspace,
    cluster: _Cluster,
    before: Survey,
    planned: PlannedHandover,
    conductor: Conductor,
    measure: Measure,
    error: KbzError | None,
    started: float,
) -> Report:
    snapshot = conductor.last or before.snapshot
    found = judge(workspace, (cluster.module,), before.selected, conductor.descriptions, snapshot)
    after = replace(found, plan=Plan({}))
    hosts = {
        host: ended(host, after, conductor.results, error)
        for host in sorted(before.selected | {r.change.host for r in conductor.results})
    }
    try:
        leader = cluster.plan.leads(_live(workspace, cluster, before, snapshot), cluster.members)
    except RefusedError:
        leader = ""
    handover = Handover(planned, leader, measure.seconds, measure.tally, measure.unmeasured)
    if error is None and (lost := measure.lost):
        error = StepError(
            f"{lost} acknowledged writes are lost, and none may be", where=cluster.name
        )
    seconds = time.monotonic() - started
    done = report_of(workspace, "switchover", after, hosts, seconds)
    return with_error(replace(done, handover=handover), error)
