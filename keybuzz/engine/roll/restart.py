"""`kbz restart`: what runs is restarted, one member at a time, the leader last and after a hand-over.

A restart changes no description, so that it is not subject to the freeze. What is still to do follows from marks:
which start of each container, or which boot of each host, was seen when the restart began. They are in the journal,
so that a restart that was cut off goes on without repeating what it has done.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from keybuzz.engine import events
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.conduct import Conductor
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.change.run import ended, planned, with_error
from keybuzz.engine.look.survey import Survey, judge, survey
from keybuzz.engine.memory.claims import claimed, spoken
from keybuzz.engine.memory.first_install import first_installs
from keybuzz.engine.memory.journal import Marks
from keybuzz.engine.memory.outcomes import in_journal, remember, report_of
from keybuzz.engine.memory.scope import Scope
from keybuzz.engine.pace.pace import Pace
from keybuzz.engine.roll.next_member import KINDS
from keybuzz.engine.roll.rolling import roll
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.plan import Plan
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.docker import Container
from keybuzz.model.host.restart import ContainerRestart, Reboot, ServiceRestart
from keybuzz.model.host.system import SystemdUnit
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.report import Report
from keybuzz.site.module import Description, Module
from keybuzz.site.site import Site


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
    pace: Pace = field(default_factory=Pace)
    """Which member comes first, and what happens between two."""


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
    request.pace.require(request.selected)
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
        kept = tuple(item for item in found.resources if not isinstance(item, KINDS))
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
        pace=request.pace,
    )
    error = conductor.ending(lambda: roll(conductor, module, clusters, before.snapshot))
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


def _only_restarts(found: Survey) -> Survey:
    """Return the survey whose plan is what is restarted; drift is another verb's matter."""
    changes = {
        host: mine
        for host, every in found.plan.changes.items()
        if (mine := tuple(c for c in every if isinstance(c.resource, KINDS)))
    }
    return replace(found, plan=Plan(changes))
