"""A small world in which Patroni nodes live: it answers as hosts do, obeys stages, and elects leaders.

Everything of the product is real here (descriptions, planning, views, rollouts, the guard) but hosts and time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Any

from keybuzz.engine.change.guard import disrupted
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Change, State
from keybuzz.model.core.reading import Answer
from keybuzz.model.core.resource import Resource
from keybuzz.model.core.secret import DigestKey
from keybuzz.model.host.docker import Container
from keybuzz.site.site import Site
from tasks.patroni import MODULE as PATRONI
from tasks.patroni.service.resources import PatroniIdentity, PatroniLeader, Role
from tasks.patroni.service.rest import PatroniRestPassword
from tests.unit.support.resource_values import applied
from tests.unit.support.site_values import Row, described, fleet_of, memory_site
from tests.unit.tasks.driver import End, drive

CONTAINER = "container:patroni"
SCOPE = "keybuzz-pg"


@lru_cache(maxsize=8)
def site_of(size: int) -> Site:
    """Return a site whose Patroni cluster has so many members, named db-1, db-2 …"""
    kind = ("db", "postgres", "patroni-node")
    rows = tuple(Row(f"db-{n}", IPv4Address("10.0.0.120") + n, *kind) for n in range(1, size + 1))
    servers, catalogue = fleet_of(rows)
    return replace(memory_site(), servers=servers, catalogue=catalogue)


_COMPARED = (PatroniIdentity, PatroniRestPassword)
"""What is compared and never written."""


@lru_cache(maxsize=8)
def descriptions_of(size: int) -> dict[str, HostDescription]:
    """Return the description of every member."""
    return described(site_of(size), PATRONI)


@dataclass
class Node:
    """One host, as it is now."""

    states: dict[str, State]
    data: bool = False
    reachable: bool = True
    settled: bool = True
    """False while it is on its way: the answer before a wait differs from the one after."""
    votes: bool = False
    """Its RAFT directory holds a log."""

    @property
    def running(self) -> bool:
        state = self.states[CONTAINER]
        return state.present and state.attributes.get("running") is True


@dataclass
class World:
    """All members of one cluster, and what is inside of it."""

    size: int
    nodes: dict[str, Node]
    inside: dict[str, State]
    """States of roles, databases and settings: one truth for all members, read on the leader."""
    leader: str | None = None
    trail: list[Stage] = field(default_factory=list)

    @classmethod
    def empty(cls, size: int) -> World:
        """Return servers on which nothing was ever installed."""
        nodes = {}
        for host, found in descriptions_of(size).items():
            states = {
                r.identity: State(r.identity, True, {"there": False})
                if r.kind == "retired"
                else State(r.identity, False)
                for r in _around(found)
            }
            nodes[host] = Node({**states, **_identity(found)})
        return cls(size, nodes, {r.identity: State(r.identity, False) for r in _inside(size)})

    @classmethod
    def healthy(cls, size: int, leader: str = "db-1") -> World:
        """Return a cluster that is as described."""
        key = site_of(size).digest_key
        nodes = {}
        for host, found in descriptions_of(size).items():
            states = {
                r.identity: State(r.identity, True, dict(r.wanted(key))) for r in _around(found)
            }
            nodes[host] = Node({**states, **_identity(found)}, data=True, votes=True)
        inside = {r.identity: State(r.identity, True, dict(r.wanted(key))) for r in _inside(size)}
        return cls(size, nodes, inside, leader)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Hypothesis shows a failing world by this: a line per host, and only what is not as described."""
        del cycle
        printer.text(f"leader {self.leader}, stages {[stage.name for stage in self.trail]}")
        for host, view in self.live().hosts.items():
            wrong = [f"{change.action.value} {change.identity}" for change in view.changes]
            node = self.nodes[host]
            printer.text(f"\n  {host} data={node.data} settled={node.settled} {wrong}")
        printer.text(
            f"\n  away: {[host for host, node in self.nodes.items() if not node.reachable]}"
        )

    @property
    def running(self) -> list[str]:
        return [host for host, node in self.nodes.items() if node.running]

    @property
    def quorate(self) -> bool:
        return len(self.running) > self.size / 2

    def elect(self) -> None:
        """Let Patroni do what it does by itself: a majority keeps or chooses a leader, who has data."""
        if not self.quorate:
            self.leader = None
            return
        if self.leader not in self.running:
            old = [host for host in self.running if self.nodes[host].data]
            self.leader = (old or self.running)[0]
        for host in self.running:
            self.nodes[host].data = self.nodes[host].votes = True

    def snapshot(self) -> Snapshot:
        """Return what the hosts say now."""
        reachable = {host: node for host, node in self.nodes.items() if node.reachable}
        observations = {
            host: Observation({**node.states, **self._inside_at(host)}, self._answers(host))
            for host, node in reachable.items()
        }
        unreachable = {host: "no route" for host in self.nodes if host not in reachable}
        return Snapshot(observations, unreachable)

    def live(self, selected: Iterable[str] | None = None) -> Live:
        """Return what the engine sees now."""
        chosen = frozenset(self.nodes if selected is None else selected)
        view = View(
            descriptions_of(self.size), self.snapshot(), chosen, site_of(self.size).digest_key
        )
        return view.live(PATRONI, site_of(self.size))

    def apply(self, stage: Stage) -> None:
        """Do what the changes of a stage say, and let time pass."""
        self.trail.append(stage)
        for change in stage.changes:
            self._apply(change)
        self.elect()
        self.wait()

    def wait(self) -> None:
        """Let members that are on their way arrive."""
        for node in self.nodes.values():
            node.settled = True

    def _apply(self, change: Change) -> None:
        node = self.nodes[change.host]
        assert node.reachable
        if isinstance(change.resource, PatroniLeader):
            assert self.leader == change.host
            others = (host for host in self.running if host != change.host)
            self.leader = change.resource.heir or next(others)
        elif change.identity in self.inside:
            assert self.leader == change.host
            self.inside = applied(self.inside, [change])
        else:
            node.states = applied(node.states, [change])
            if isinstance(change.resource, Container) and self.leader == change.host:
                self.leader = None  # the lock is free until the others have noticed

    def _inside_at(self, host: str) -> dict[str, State]:
        if host == self.leader:
            return self.inside
        return {
            identity: State(identity, False, problem="this member does not lead")
            for identity in self.inside
        }

    def _answers(self, host: str) -> dict[str, Answer]:
        node = self.nodes[host]
        names = ["PG_VERSION", "base"] if node.data else []
        log = ["10.0.0.121:7000.journal"] if node.votes else []
        found = {
            "patroni.data": Answer("patroni.data", {"there": node.data, "names": names}),
            "patroni.raft": Answer("patroni.raft", {"there": True, "names": log}),
        }
        for name, document in (("self", self._own(host)), ("cluster", self._cluster())):
            answer = Answer(f"patroni.{name}", {"status": 200, "json": document})
            if not node.running:
                answer = Answer(f"patroni.{name}", problem="Connection refused")
            found[answer.name] = answer
        return {**found, **self._inside(host)}

    def _inside(self, host: str) -> dict[str, Answer]:
        """Return what PostgreSQL and Patroni's store say of themselves."""
        if not self.nodes[host].running:
            names = ("patroni.server", "patroni.config")
            return {name: Answer(name, problem="Connection refused") for name in names}
        superusers = [
            item.role for item in _inside(self.size) if isinstance(item, Role) and item.superuser
        ]
        row = [
            "false" if host == self.leader else "true",
            "",
            "",
            ", ".join(superusers),
            "false",
            "",
            "",
            "1",
            "3 197 1000",
        ]
        server = {"accepted": True, "reason": "", "row": row}
        return {
            "patroni.server": Answer("patroni.server", server),
            "patroni.config": Answer("patroni.config", {"status": 200, "json": {"pause": None}}),
        }

    def _own(self, host: str) -> dict[str, Any]:
        settled = self.nodes[host].settled and self.leader is not None
        return {
            "state": "running" if settled else "starting",
            "role": "master" if host == self.leader else "replica",
            "timeline": 1,
            "server_version": 160004,
            "patroni": {"version": "3.3.0", "scope": SCOPE, "name": host},
        }

    def _cluster(self) -> dict[str, Any]:
        members: list[dict[str, Any]] = []
        for host in self.running:
            leads = host == self.leader
            state = "running" if leads else "streaming"
            if not self.nodes[host].settled:
                state = "starting"
            members.append({"name": host, "role": "leader" if leads else "replica", "state": state})
            members[-1].update({"timeline": 1} if leads else {"timeline": 1, "lag": 0})
        return {"members": members, "scope": SCOPE}


def _around(description: HostDescription) -> list[Resource]:
    resources = description.modules["patroni"].resources
    return [r for r in resources if not isinstance(r, _COMPARED)]


def _identity(description: HostDescription) -> dict[str, State]:
    """Where nothing contradicts, the agent answers what it was asked for."""
    resources = description.modules["patroni"].resources
    return {
        r.identity: State(r.identity, True, dict(r.wanted(DigestKey(b""))))
        for r in resources
        if isinstance(r, _COMPARED)
    }


def _inside(size: int) -> tuple[Resource, ...]:
    return descriptions_of(size)["db-1"].modules["patroni"].cluster


def roll(world: World, selected: Iterable[str] | None = None) -> End:
    """Drive the module's rollout, until nothing is left or something says no."""
    chosen = frozenset(world.nodes if selected is None else selected)
    known = descriptions_of(world.size)
    return drive(
        world,
        PATRONI,
        site_of(world.size),
        known,
        chosen,
        check=lambda stage: check_stage(stage, world, chosen),
    )


def check_stage(stage: Stage, world: World, selected: frozenset[str]) -> None:
    """Assert what must hold for every stage of every roll."""
    stopping = disrupted(stage)
    assert len(stopping) <= 1, "one running member at a time"
    if stopping == {world.leader}:
        assert len([h for h in world.nodes if world.nodes[h].reachable]) == 1, "no hand over"
    if world.quorate and stopping:
        assert len(set(world.running) - stopping) > world.size / 2, "quorum would be lost"
    for change in stage.changes:
        inside = change.identity in world.inside
        assert change.host in selected or inside, f"{change.host} is not selected"


def damaged(states: Mapping[str, State], identity: str, **attributes: Any) -> dict[str, State]:
    """Return the states with one resource different: attributes given, or absent when none is."""
    old = states[identity]
    new = replace(old, attributes={**old.attributes, **attributes})
    if not attributes:
        new = State(identity, False)
    return {**states, identity: new}
