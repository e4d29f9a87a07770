"""The ground of a drill on real hosts: one look at several clusters, faults, and what takes them back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from keybuzz.engine.change.conduct import Conductor
from keybuzz.engine.change.execute import execute
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.change.guard import cluster_of
from keybuzz.engine.change.steps import apply
from keybuzz.engine.drill.client import client_of
from keybuzz.engine.drill.faults import Faults
from keybuzz.engine.drill.ledger import Writer
from keybuzz.engine.drill.trial import Sight
from keybuzz.engine.look.describe import HostDescription, describe_all
from keybuzz.engine.look.judging import stopping
from keybuzz.engine.look.observe import Snapshot, View, observe
from keybuzz.engine.memory.first_install import first_installs
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import StepError
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.docker import StoppedContainer
from keybuzz.model.host.power import ContainerKilled, ContainerStarted
from keybuzz.model.reports.drill import Scenario, Workload
from keybuzz.site.drill import Drill
from keybuzz.site.module import Module

if TYPE_CHECKING:
    from keybuzz.transport.session import Execution

_STAGE_TIMEOUT = 600.0
_COMMAND_TIMEOUT = 120.0
_HELD_DOWN = "held down by the drill"
_PATIENCE = 60
"""Seconds that a container has to end before it is killed."""


@dataclass
class HostGround:
    """The drilled cluster, and the clusters beside it that were well when the drill began."""

    workspace: Workspace
    module: Module
    drill: Drill
    faults: Faults
    descriptions: Mapping[str, HostDescription]
    beside: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Module name to the members that were up at the start."""
    modules: tuple[Module, ...] = ()

    def look(self, victim: str = "", *, silent: bool = False) -> Sight:
        """Ask all hosts; not the victim when it is silent, because no answer would come for a long time."""
        hidden = victim if silent else ""
        asked = {host: found for host, found in self.descriptions.items() if host != hidden}
        seen = observe(self.workspace.nornir, asked, Access.CHANGE)
        if hidden:
            seen = replace(seen, unreachable={**seen.unreachable, hidden: _HELD_DOWN})
        live = self._live(self.module, seen)
        return Sight(
            live,
            not_green(self.module, live),
            self.drill.unhealed(self.workspace.site, live, victim),
            self._troubles(live, seen, victim),
        )

    def writer(self, workload: Workload) -> Writer:
        """Return a writer that has not begun."""
        return Writer(client_of(workload))

    def inject(self, scenario: Scenario, victim: str) -> None:
        """Break it; KbzError when that did not work."""
        match scenario:
            case Scenario.SWITCHOVER:
                self._switch_over(victim)
            case Scenario.CONTAINER_KILLED if unit := self._unit(victim):
                self._on(victim, "systemctl", "kill", "--kill-who=main", "--signal=KILL", unit)
            case Scenario.CONTAINER_KILLED:
                self._bring_about(victim, ContainerKilled(self.drill.container))
            case Scenario.CONTAINER_STOPPED if unit := self._unit(victim):
                self._on(victim, "systemctl", "stop", unit)
            case Scenario.CONTAINER_STOPPED:
                self._bring_about(victim, StoppedContainer(self.drill.container, _PATIENCE))
            case Scenario.HOST_KILLED:
                self._hang_up(victim)
                self.faults.kill_host(victim)
            case Scenario.LINK_CUT:
                self._hang_up(victim)
                self.faults.cut_link(victim)

    def restore(self, scenario: Scenario, victim: str) -> None:
        """Take it back; may be called again, and when nothing was broken."""
        unit = self._unit(victim)
        match scenario:
            case Scenario.CONTAINER_KILLED | Scenario.CONTAINER_STOPPED if unit:
                # The gate waits until it serves again, and not systemd.
                self._on(victim, "systemctl", "--no-block", "start", unit)
            case Scenario.CONTAINER_KILLED | Scenario.CONTAINER_STOPPED:
                self._bring_about(victim, ContainerStarted(self.drill.container))
            case Scenario.HOST_KILLED:
                self.faults.start_host(victim)
            case Scenario.LINK_CUT:
                self.faults.restore_link(victim)

    def heal(self, victim: str) -> None:
        """Restart the victim's container, as an operator does where a cluster does not heal by itself."""
        self._bring_about(victim, StoppedContainer(self.drill.container, _PATIENCE))
        self._bring_about(victim, ContainerStarted(self.drill.container))

    def isolated_write(self, victim: str) -> tuple[bool | None, str]:
        """Return whether the cut-off victim accepted a write (None: not tried), and why that may be (empty: never)."""
        if self.drill.isolated is None:
            return None, ""
        site = self.workspace.site
        attempt = self.drill.isolated(site, site.server(victim))
        accepted = self.faults.try_isolated(victim, attempt)
        return accepted, "" if attempt.promised else attempt.expectation

    def _unit(self, host: str) -> str:
        """Return the systemd unit that the drill is about on a host; empty where it is a container."""
        unit = self.drill.unit
        return unit(self.workspace.site.server(host)) if unit is not None else ""

    def _runs(self, view: HostView) -> bool:
        unit = self._unit(view.server.name)
        identity = f"systemd-unit:{unit}" if unit else f"container:{self.drill.container}"
        return view.attribute(identity, "running") is True

    def _live(self, module: Module, seen: Snapshot) -> Live:
        site = self.workspace.site
        return View(self.descriptions, seen, frozenset(), site.digest_key).live(module, site)

    def _troubles(self, live: Live, seen: Snapshot, victim: str) -> frozenset[str]:
        found = {
            f"{host} is lost too: {reason}"
            for host, reason in live.unreachable.items()
            if host != victim
        }
        found |= {
            f"{self.drill.container} on {host} does not run either"
            for host, view in live.hosts.items()
            if host != victim and not self._runs(view)
        }
        for module in self.modules:
            before = self.beside[module.name] - {victim}
            now = cluster_of(module, self._live(module, seen)).up
            if missing := sorted(before - now):
                found.add(f"{module.name} has lost {', '.join(missing)}")
        return frozenset(found)

    def _switch_over(self, victim: str) -> None:
        live = self.look().live
        stage = self.module.release(live, victim)
        if stage is None:
            raise StepError("there is nothing to hand over", where=victim)
        work = self.workspace
        members = {host: self.descriptions[host] for host in live.hosts}
        conductor = Conductor(
            work.nornir,
            work.site,
            (self.module,),
            (self.module,),
            members,
            frozenset(members),
            work.listen,
            time.monotonic() + _STAGE_TIMEOUT,
            work.stop,
            Freeze(frozenset(), NO_LIFT, first_installs(work)),
        )
        conductor.stage(self.module, stage, observe(work.nornir, members, Access.CHANGE))

    def _hang_up(self, host: str) -> None:
        """Close the session: afterwards no agent is there to answer, and the next one begins from the start."""
        self.workspace.nornir.inventory.hosts[host].close_connections()

    def _bring_about(self, host: str, wish: Resource) -> None:
        """Let the host's agent do something to a container; StepError when it did not."""
        key = self.workspace.site.digest_key
        # Each wish is one answer that is the other way round now; where it is not, there is nothing to do.
        answers = wish.wanted(key).items()
        differences = tuple(Difference(name, value is not True, value) for name, value in answers)
        change = Change(host, self.module.name, wish, Action.UPDATE, differences)
        chosen = self.workspace.nornir.filter(filter_func=lambda item: item.name == host)
        outcome = chosen.run(
            task=apply,
            changes={host: (change,)},
            archives={},
            listen=lambda event: None,
            timeout=_COMMAND_TIMEOUT,
            on_failed=True,
        )[host][0]
        chosen.data.reset_failed_hosts()
        if outcome.exception is not None:
            raise outcome.exception
        (done,) = outcome.result
        if done.outcome not in (Outcome.OK, Outcome.CHANGED):
            raise StepError(done.what, where=host, hint=done.hint)

    def _on(self, host: str, *argv: str) -> None:
        chosen = self.workspace.nornir.filter(filter_func=lambda item: item.name == host)
        result = chosen.run(task=execute, argv=argv, timeout=_COMMAND_TIMEOUT, on_failed=True)[
            host
        ][0]
        chosen.data.reset_failed_hosts()
        if result.exception is not None:
            raise result.exception
        done: Execution = result.result
        if done.exit_code != 0:
            said = " ".join(done.stderr.split()) or f"exit {done.exit_code}"
            raise StepError(f"{argv[0]} failed: {said}", where=host)


def not_green(module: Module, live: Live) -> str:
    """Return why a cluster is not whole and well; empty when every member answers and every check is good."""
    for host, reason in sorted(live.unreachable.items()):
        return f"{host} does not answer: {reason}"
    cluster = cluster_of(module, live)
    if absent := sorted(cluster.members - cluster.up):
        return (
            f"{', '.join(absent)} not up; {len(cluster.up)} of {len(cluster.members)} members are"
        )
    for finding in stopping(module.checks(live)):
        place = f"{finding.host}: " if finding.host else ""
        return f"{place}{finding.check}: {finding.message}"
    return ""


def ground_of(
    workspace: Workspace, module: Module, drill: Drill, faults: Faults, every: tuple[Module, ...]
) -> HostGround:
    """Look once at every cluster of the site: the ones that are well are watched while the drill goes on."""
    others = tuple(m for m in every if m.members_up is not None and m.name != module.name)
    nornir = workspace.nornir
    names = {s.name for m in (module, *others) for s in workspace.site.members(m.group)}
    chosen = nornir.filter(filter_func=lambda host: host.name in names)
    descriptions = describe_all(chosen, (module, *others))
    ground = HostGround(workspace, module, drill, faults, descriptions)
    seen = observe(nornir, descriptions)
    members = {server.name for server in workspace.site.members(module.group)}
    for other in others:
        live = ground._live(other, seen)
        if not not_green(other, live):
            ground.beside = {**ground.beside, other.name: cluster_of(other, live).up}
            members |= set(live.hosts)
    ground.modules = tuple(other for other in others if other.name in ground.beside)
    # Only what is watched is asked from now on: an entry to a database that is away answers after ten seconds.
    watched = nornir.filter(filter_func=lambda host: host.name in members)
    ground.descriptions = describe_all(watched, (module, *ground.modules))
    return ground
