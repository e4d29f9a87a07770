"""A small world of three RabbitMQ nodes: it answers as hosts do, obeys stages, and refuses what RabbitMQ refuses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from keybuzz.engine.change.guard import disrupted
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Change, State
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.docker import Container
from tasks.rabbitmq import MODULE
from tasks.rabbitmq.members import CONTAINER, COOKIE, DATA
from tasks.rabbitmq.rotation import LOGIN
from tasks.rabbitmq.service.resources import (
    RabbitmqForgotten,
    RabbitmqMembership,
    RabbitmqNoUser,
    RabbitmqReplicas,
    RabbitmqUser,
)
from tests.unit.support.resource_values import applied
from tests.unit.support.site_values import described, memory_site
from tests.unit.tasks.driver import End, drive

HOSTS = ("queue-01", "queue-02", "queue-03")
USER = "kb_rmq"
INSIDE = (
    RabbitmqMembership,
    RabbitmqReplicas,
    RabbitmqUser,
    RabbitmqNoUser,
)


def name(host: str) -> str:
    return f"rabbit@{host}"


@lru_cache(maxsize=1)
def descriptions() -> dict[str, HostDescription]:
    """Return the description of every member."""
    return described(memory_site(), MODULE)


@dataclass
class Node:
    """One host, as it is now."""

    states: dict[str, State]
    members: frozenset[str] = frozenset()
    """By its own database; empty: nothing has ever run here."""
    users: frozenset[str] = frozenset({"guest"})
    queues: int = 0
    lacking: tuple[str, ...] = ()
    critical: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    reachable: bool = True
    old: bool = False
    """Our user has another password."""

    @property
    def runs(self) -> bool:
        return self.states[CONTAINER].attributes.get("running") is True


@dataclass
class World:
    """Three hosts, and what happened to them."""

    nodes: dict[str, Node]
    trail: list[Stage] = field(default_factory=list)

    @classmethod
    def empty(cls) -> World:
        """Return servers on which nothing was ever installed."""
        return cls({host: Node(_states(host, present=False)) for host in HOSTS})

    @classmethod
    def healthy(cls) -> World:
        """Return a cluster that is as described, with queues."""
        everybody = frozenset(map(name, HOSTS))
        users = frozenset({USER})
        return cls({h: Node(_states(h, present=True), everybody, users, 4) for h in HOSTS})

    def wipe(self, host: str) -> None:
        """Put a bare server of the same name in a host's place."""
        self.nodes[host] = Node(_states(host, present=False))

    def damage(self, host: str, identity: str, **attributes: object) -> None:
        node = self.nodes[host]
        merged = {**node.states[identity].attributes, **attributes}
        node.states[identity] = State(identity, True, merged)  # type: ignore[arg-type]

    def snapshot(self) -> Snapshot:
        """Return what the hosts say now."""
        seen = {
            host: Observation(self._seen(host), self._answers(host))
            for host, node in self.nodes.items()
            if node.reachable
        }
        away = {host: "no route" for host, node in self.nodes.items() if not node.reachable}
        return Snapshot(seen, away)

    def live(self, selected: Iterable[str] = HOSTS) -> Live:
        """Return what the engine sees now."""
        chosen = frozenset(selected)
        view = View(descriptions(), self.snapshot(), chosen, memory_site().digest_key)
        return view.live(MODULE, memory_site())

    def running(self, host: str) -> set[str]:
        """Return the nodes that run in this one's cluster: both sides must take each other for members."""
        members = self.nodes[host].members
        return {
            name(other)
            for other, node in self.nodes.items()
            if node.runs and name(other) in members and name(host) in node.members
        }

    def wait(self) -> None:
        """Nothing of it is on its way."""

    def apply(self, stage: Stage) -> None:
        """Do what the changes of a stage say, as RabbitMQ does it."""
        self.trail.append(stage)
        for change in stage.changes:
            self._apply(change, self.nodes[change.host])

    def _apply(self, change: Change, node: Node) -> None:
        match change.resource:
            case RabbitmqMembership(join=target):
                assert node.members == {name(change.host)}, "only a node that is alone joins"
                assert node.queues == 0, "joining empties a node"
                goal = self.nodes[target.removeprefix("rabbit@")]
                assert name(change.host) not in goal.members, "the name is taken"
                together = goal.members | {name(change.host)}
                for host in [member.removeprefix("rabbit@") for member in together]:
                    other = self.nodes[host]
                    other.members, other.users, other.queues = together, goal.users, goal.queues
            case RabbitmqForgotten(node=gone):
                assert gone not in self.running(change.host), "it runs"
                for member in self.running(change.host):
                    other = self.nodes[member.removeprefix("rabbit@")]
                    other.members -= {gone}
            case RabbitmqUser():
                self._users(node, node.users | {USER})
                for other in self.nodes.values():
                    other.old = other.old and other.members != node.members
            case RabbitmqNoUser():
                assert USER in node.users, "nobody could get in"
                self._users(node, node.users - {"guest"})
            case RabbitmqReplicas():
                node.lacking = ()
            case Container():
                node.states = applied(node.states, [change])
                node.members = node.members or frozenset({name(change.host)})
            case _:
                node.states = applied(node.states, [change])

    def _users(self, node: Node, users: frozenset[str]) -> None:
        for other in self.nodes.values():
            if other.members == node.members:
                other.users = users

    def _seen(self, host: str) -> dict[str, State]:
        node, found = self.nodes[host], dict(self.nodes[host].states)
        for resource in (*_resources(host),):
            if not isinstance(resource, INSIDE):
                continue
            identity = resource.identity
            if not node.runs:
                found[identity] = State(identity, False, problem="Connection refused")
                continue
            match resource:
                case RabbitmqMembership():
                    state = State(identity, True, {"members": tuple(sorted(node.members))})
                case RabbitmqReplicas() if USER not in node.users or node.old:
                    state = State(identity, False, problem="does not let us in")
                case RabbitmqReplicas():
                    state = State(identity, True, {"lacking": len(node.lacking)})
                case RabbitmqNoUser():
                    state = State(identity, True, {"there": "guest" in node.users})
                case _:
                    good = {
                        "password_matches": not node.old,
                        "administrator": True,
                        "permitted": not node.old,
                    }
                    there = USER in node.users
                    state = State(identity, there, good if there else {})
            found[identity] = state
        data = found[DATA]
        held = {"nodes": (name(host),), "formed": tuple(sorted(node.members))}
        found[DATA] = replace(
            data, attributes={**held, **data.attributes} if node.members else data.attributes
        )
        return found

    def _answers(self, host: str) -> dict[str, Answer]:
        node = self.nodes[host]
        names = [".erlang.cookie"] * node.states[COOKIE].present + ["mnesia"] * bool(node.members)
        value = {
            "denied": USER not in node.users or node.old,
            "members": sorted(node.members),
            "running": sorted(self.running(host)),
            "critical": list(node.critical),
            "partitions": list(node.partitions),
            "users": {
                user: ["administrator"] if user == USER else [] for user in sorted(node.users)
            },
            **{field: [] for field in ("alarms", "apart", "drained", "classic")},
            "queues": node.queues,
            "lacking": list(node.lacking),
            "cluster_name": "keybuzz-queue",
            "version": "3.12.14",
            "listeners": [f"{memory_site().server(host).address}:{port}" for port in (5672, 15672)],
        }
        look = Answer("rabbitmq.node", value)
        if not node.runs:
            look = Answer("rabbitmq.node", problem="Connection refused")
        accepted = node.runs and USER in node.users and not node.old
        return {
            LOGIN: Answer(LOGIN, {"accepted": accepted, "reason": "ACCESS_REFUSED"}),
            "rabbitmq.node": look,
            "rabbitmq.data": Answer("rabbitmq.data", {"there": True, "names": names}),
            "rabbitmq.units": Answer("rabbitmq.units", {"there": True, "names": []}),
        }


def _resources(host: str) -> tuple[object, ...]:
    description = descriptions()[host].modules["rabbitmq"]
    return (*description.resources, *description.cluster)


def _states(host: str, *, present: bool) -> dict[str, State]:
    key = memory_site().digest_key
    return {
        r.identity: State(
            r.identity,
            there := present or r.kind in ("retired", "rabbitmq-data"),
            dict(r.wanted(key)) if there else {},
        )
        for r in descriptions()[host].modules["rabbitmq"].resources
    }


def roll(world: World, selected: Iterable[str] = HOSTS) -> End:
    """Drive the module's rollout, until nothing is left or something says no."""
    return drive(
        world,
        MODULE,
        memory_site(),
        descriptions(),
        selected,
        check=lambda stage: _check(stage, world),
    )


def _check(stage: Stage, world: World) -> None:
    assert len(disrupted(stage)) <= 1, "one running node at a time"
    for host in disrupted(stage):
        assert not world.nodes[host].critical, "a queue loses its majority"
