"""`kbz restart`: what runs begins anew, one member at a time, the leader last and after a hand-over.

A restart changes no description, so that it is not subject to the freeze. What is still to do follows from marks:
which start of each container, or which boot of each host, was seen when the restart began. They are in the journal,
so that a restart that was cut off goes on without repeating what it has done.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from keybuzz.engine import events
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.conduct import Conductor
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.change.guard import Cluster, cluster_of
from keybuzz.engine.change.run import ended, planned, with_error
from keybuzz.engine.look.judging import stopping
from keybuzz.engine.look.observe import Snapshot
from keybuzz.engine.look.survey import Survey, judge, survey
from keybuzz.engine.memory.claims import claimed, spoken
from keybuzz.engine.memory.first_install import first_installs
from keybuzz.engine.memory.journal import Marks
from keybuzz.engine.memory.outcomes import in_journal, remember, report_of
from keybuzz.engine.memory.scope import Scope
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Change, Plan
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.docker import Container
from keybuzz.model.host.restart import ContainerRestart, Reboot, ServiceRestart
from keybuzz.model.host.system import SystemdUnit
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.report import Report
from keybuzz.site.module import Description, Module
from keybuzz.site.site import Site

BACK_TIMEOUT = 600.0
"""Seconds for a group to be whole again after one of its members began anew."""
FIRST_TIMEOUT = 60.0
"""Seconds for a group to be whole before anything is touched."""
_KINDS = (ContainerRestart, Reboot, ServiceRestart)


@dataclass(frozen=True, slots=True)
class RestartRequest:
    """What was asked for."""

    module: Module
    """Whose containers restart; or the module of `reboots`."""
    selected: frozenset[str]
    wait: float = 0.0
    """Seconds to wait for another run's lease."""
    timeout: float = 7200.0
    """Seconds for all of it."""
    since: int = 0
    """Number in the journal of the restart that this one goes on with."""


def reboots(group: str) -> Module:
    """Return the module whose only wish is that its hosts have booted again."""
    return Module(
        name="reboot",
        number=0,
        title="Reboot",
        group=group,
        requires=(),
        describe=lambda site, server: Description((Reboot(),)),
        next_stage=lambda live: None,
        checks=lambda live: (),
    )


def restart(workspace: Workspace, request: RestartRequest) -> Report:
    """Restart every selected member, one at a time; the journal keeps the marks before the first."""
    with (
        claimed(workspace, spoken("restart", (request.module,)), request.selected, request.wait),
        in_journal(workspace, "restart", (request.module,), Scope(request.selected)) as number,
    ):
        marks = workspace.journal.marks(request.since) if request.since else None
        if marks is None:
            marks = _seen(workspace, request)
        workspace.journal.mark(number, marks)
        return remember(workspace, number, _conducted(workspace, request, marks))


def marked(module: Module, marks: Marks) -> Module:
    """Return the module with the wish, on each marked host, that what was seen there has come back."""

    def describe(site: Site, server: Server) -> Description:
        found = module.describe(site, server)
        here = marks.get(server.name, {})
        kept = tuple(item for item in found.resources if not isinstance(item, _KINDS))
        wishes = tuple(
            replace(wish, seen=here[wish.identity])
            for wish in _wishes(found)
            if wish.identity in here
        )
        return replace(found, resources=(*kept, *wishes))

    return replace(module, describe=describe)


def restartable(item: Resource) -> bool:
    """Return whether `kbz restart` restarts it: a container, or a unit that serves."""
    return isinstance(item, Container) or (isinstance(item, SystemdUnit) and item.serves)


def _wishes(found: Description) -> tuple[ContainerRestart | Reboot | ServiceRestart, ...]:
    wishes: list[ContainerRestart | Reboot | ServiceRestart] = []
    for item in found.resources:
        if isinstance(item, Container):
            wishes.append(ContainerRestart(item.container, item.stop_timeout))
        elif isinstance(item, SystemdUnit) and restartable(item):
            wishes.append(ServiceRestart(item.unit))
        elif isinstance(item, Reboot):
            wishes.append(item)
    return tuple(wishes)


def _seen(workspace: Workspace, request: RestartRequest) -> Marks:
    """Return what runs now; RefusedError when a selected host cannot tell."""
    site = workspace.site
    wishes = {
        host: _wishes(request.module.describe(site, site.server(host)))
        for host in sorted(request.selected)
    }
    blank = {host: {wish.identity: "" for wish in mine} for host, mine in wishes.items()}
    found = survey(workspace, (marked(request.module, blank),), request.selected)
    marks: dict[str, dict[str, str]] = {}
    for host, mine in wishes.items():
        if host in found.snapshot.unreachable:
            raise RefusedError(
                f"cannot be asked: {found.snapshot.unreachable[host]}",
                where=host,
                hint="bring it back first, or leave it out with --limit; nothing was restarted",
            )
        states = found.snapshot.observations[host].states
        for wish in mine:
            state = states[wish.identity]
            if state.problem or not state.attributes.get("running"):
                raise RefusedError(
                    state.problem or f"{wish.name} does not run",
                    where=host,
                    hint=f"{proposed('kbz', 'run', request.module.name, '--limit', host)}; nothing was restarted",
                )
            marks.setdefault(host, {})[wish.identity] = str(state.attributes["started"])
    return marks


def left(live: Live) -> dict[str, tuple[Change, ...]]:
    """Return what is still to begin anew, by host."""
    return {
        host: mine
        for host, view in live.hosts.items()
        if (mine := tuple(c for c in view.changes if isinstance(c.resource, _KINDS)))
    }


def next_step(
    live: Live, clusters: tuple[tuple[Module, Live], ...], apart: frozenset[str] = frozenset()
) -> Stage | None:
    """Return the restart of one more member, or the hand-over that it needs first; None when all are done.

    `live` says what is to restart, `clusters` who leads. A member that is apart from its cluster comes first, and
    one that leads last.
    """
    waiting = left(live)
    if not waiting:
        return None
    host = min(waiting, key=lambda name: (name not in apart, _leads(clusters, name), name))
    released = _released(clusters, host)
    own = released.get(live.module)
    if own is not None and own.changes:
        return own
    stage = _restart(host, waiting[host])
    # The conductor asks every other module for its release before it interrupts the host.
    return stage if own is None else replace(stage, before=own.after)


def _leads(clusters: tuple[tuple[Module, Live], ...], host: str) -> bool:
    if any(module.writer(live) == host for module, live in clusters):
        return True
    return any(stage.changes for stage in _released(clusters, host).values())


def _released(clusters: tuple[tuple[Module, Live], ...], host: str) -> dict[str, Stage]:
    return {
        module.name: stage
        for module, live in clusters
        if host in live.hosts and (stage := module.release(live, host)) is not None
    }


def _restart(host: str, mine: tuple[Change, ...]) -> Stage:
    what = " and ".join(change.resource.name for change in mine)
    reboot = any(isinstance(change.resource, Reboot) for change in mine)

    def not_back(now: Live) -> str | None:
        if host not in now.hosts:
            return f"{host} does not answer: {now.unreachable.get(host, 'it was not asked')}"
        return f"{host} has not come back" if host in left(now) else None

    return Stage(
        f"reboot {host}" if reboot else f"restart {what} on {host}",
        mine,
        after=Gate(f"{host} has come back", not_back, BACK_TIMEOUT),
    )


def whole(module: Module, timeout: float, waiting: frozenset[str]) -> Gate:
    """Return the gate that holds when every check of a module is good on every member.

    Args:
        module: Whose checks are asked.
        timeout: Seconds.
        waiting: The hosts that are still to restart.
    """

    cured = {info.id for info in module.check_infos if info.restart}

    def reason(live: Live) -> str | None:
        for finding in stopping(module.checks(live)):
            if finding.check not in cured and not _own(module, finding, waiting):
                where = f"{finding.host}: " if finding.host else ""
                return f"{where}{finding.check}: {finding.message}"
        return None

    return Gate(f"{module.name} is whole", reason, timeout)


def _own(module: Module, finding: Finding, waiting: frozenset[str]) -> bool:
    """Return whether it forbids to interrupt others than its own host, and no other is still to restart."""
    of_others = {info.id for info in module.check_infos if info.of_others}
    return finding.check in of_others and finding.host != "" and waiting <= {finding.host}


def refuse_standing(module: Module, live: Live, waiting: frozenset[str]) -> None:
    """Raise RefusedError for what no waiting ends, with its way out: a gate would wait for it in vain.

    Args:
        module: Whose checks are asked.
        live: Its cluster.
        waiting: The hosts that are still to restart.
    """
    standing = {info.id for info in module.check_infos if info.stands}
    try:
        found = module.checks(live)
    except Exception:  # what cannot be judged now is told by the gate
        return
    for finding in stopping(found):
        if finding.check not in standing or _own(module, finding, waiting):
            continue
        if finding.level is Level.CRITICAL:
            raise RefusedError(
                f"{finding.check}: {finding.message}",
                where=finding.host or module.name,
                hint=finding.hint or proposed("kbz", "explain", finding.check),
            )


def _conducted(workspace: Workspace, request: RestartRequest, marks: Marks) -> Report:
    started = time.monotonic()
    module = marked(request.module, marks)
    clusters = _clusters(workspace, request)
    modules = (*(found for found in clusters if found.name != module.name), module)
    before = _only_restarts(survey(workspace, modules, request.selected))
    workspace.listen(planned(before))
    conductor = Conductor(
        workspace.nornir,
        workspace.site,
        modules,
        all_modules(),
        before.descriptions,
        request.selected,
        workspace.listen,
        started + request.timeout,
        workspace.stop,
        Freeze(frozenset(), NO_LIFT, first_installs(workspace)),
        cuts=workspace.cuts,
    )
    error = conductor.ending(lambda: _roll(conductor, module, clusters, before.snapshot))
    snapshot = conductor.last or before.snapshot
    after = _only_restarts(
        judge(workspace, modules, request.selected, conductor.descriptions, snapshot)
    )
    touched = {result.change.host for result in conductor.results}
    hosts = {
        host: ended(host, after, conductor.results, error)
        for host in sorted(request.selected | touched)
    }
    workspace.listen(events.Judged(after.findings))
    seconds = time.monotonic() - started
    return with_error(report_of(workspace, "restart", after, hosts, seconds, before.plan), error)


def _clusters(workspace: Workspace, request: RestartRequest) -> tuple[Module, ...]:
    """Return the modules whose health decides: the one that restarts, or every one with a quorum on the hosts."""
    if request.module.name != "reboot":
        return (marked(request.module, {}),)
    site = workspace.site
    return tuple(
        module
        for module in all_modules()
        if module.members_up is not None
        and request.selected & {server.name for server in site.members(module.group)}
    )


def _roll(
    conductor: Conductor, module: Module, clusters: tuple[Module, ...], snapshot: Snapshot
) -> None:
    """Prove, restart one member, prove again, until none is left. A cluster with nobody up has nothing to lose."""
    timeout = FIRST_TIMEOUT
    site = conductor.site
    snapshot = conductor.taken_back(snapshot)
    installed = [
        found
        for found in clusters
        if found.members_up is None or found.members_up(conductor.view(snapshot).live(found, site))
    ]
    if not _apart(conductor, module, installed, snapshot):
        waiting = _waiting(conductor, module, snapshot)
        for found in installed:
            refuse_standing(found, conductor.view(snapshot).live(found, site), waiting)
    while True:
        snapshot = _regained(conductor, module, installed, snapshot)
        apart = _apart(conductor, module, installed, snapshot)
        # The member that is wrong may be restarted while it is: the others have their majority without it.
        waiting = _waiting(conductor, module, snapshot)
        for found in () if apart else installed:
            gate = Stage("proof", (), after=whole(found, timeout, waiting))
            snapshot = conductor.stage(found, gate, snapshot)
        view = conductor.view(snapshot)
        lives = tuple((found, view.live(found, site)) for found in installed)
        stage = next_step(view.live(module, site), lives, apart)
        if stage is None:
            return
        snapshot = conductor.stage(module, stage, snapshot)
        timeout = BACK_TIMEOUT


def _waiting(conductor: Conductor, module: Module, snapshot: Snapshot) -> frozenset[str]:
    """Return the hosts that are still to restart."""
    return frozenset(left(conductor.view(snapshot).live(module, conductor.site)))


def _apart(
    conductor: Conductor, module: Module, clusters: list[Module], snapshot: Snapshot
) -> frozenset[str]:
    """Return the hosts still to restart that are no part of what serves, where that has a majority without them."""
    view, site = conductor.view(snapshot), conductor.site
    waiting = _waiting(conductor, module, snapshot)
    quorate = [
        counted
        for found in clusters
        if found.members_up is not None
        and len((counted := cluster_of(found, view.live(found, site))).up) >= counted.majority
    ]
    if len(quorate) < len(clusters):
        return frozenset()
    return frozenset(host for host in waiting if any(is_apart(c, host) for c in quorate))


def is_apart(cluster: Cluster, host: str) -> bool:
    """Return whether a member is no part of what serves.

    One that takes writes without the others serves too: it may hold what no other has, and restarted it may lose it.
    """
    serving = cluster.up | (cluster.able or frozenset())
    return host in cluster.members and host not in serving


def _regained(
    conductor: Conductor, module: Module, clusters: list[Module], snapshot: Snapshot
) -> Snapshot:
    """Let every host that has come back take back what was released before: its node takes pods again."""
    for found in clusters:
        waiting = left(conductor.view(snapshot).live(module, conductor.site))
        for host in sorted(conductor.selected - set(waiting)):
            live = conductor.view(snapshot).live(found, conductor.site)
            if host in live.hosts and (stage := found.regain(live, host)) is not None:
                snapshot = conductor.stage(found, stage, snapshot)
    return snapshot


def _only_restarts(found: Survey) -> Survey:
    """Return the survey whose plan is what begins anew; drift is another verb's matter."""
    changes = {
        host: mine
        for host, every in found.plan.changes.items()
        if (mine := tuple(c for c in every if isinstance(c.resource, _KINDS)))
    }
    return replace(found, plan=Plan(changes))
