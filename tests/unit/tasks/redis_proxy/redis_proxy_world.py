"""A small world of two entry hosts before Redis: their watchers, what Sentinel names, and hosts that obey stages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import State
from keybuzz.model.core.reading import Answer
from keybuzz.model.core.resource import Value
from tasks.redis_proxy import MODULE
from tasks.redis_proxy.members import CFG, CONTAINER, WATCHER_UNIT
from tasks.redis_proxy.values import haproxy_values
from tests.unit.support.resource_values import applied
from tests.unit.support.site_values import described, memory_site
from tests.unit.tasks.driver import End, drive

HOSTS = ("haproxy-01", "haproxy-02")
SENTINELS = ("redis-01", "redis-02", "redis-03")
MASTER, OTHER = "10.0.0.123:6379", "10.0.0.124:6379"
BALANCER = "10.0.0.10"
_NOW = 1_000_000


@lru_cache(maxsize=1)
def descriptions() -> dict[str, HostDescription]:
    """Return the description of both hosts."""
    return described(memory_site(), MODULE)


def described_mark() -> str:
    """Return the mark of the described haproxy.cfg."""
    return haproxy_values(memory_site()).mark


@dataclass
class Node:
    """One host, as it is now."""

    states: dict[str, State]
    mark: str = ""
    """Of the configuration that HAProxy runs with."""
    routes: tuple[str, ...] = ()
    """Where HAProxy leads: nobody after a start or a reload, until the watcher says."""
    age: int | None = None
    """Seconds since the watcher's last success; None: it had none."""
    trouble: str = ""
    listens_on: str = "0.0.0.0"
    refuses: str = ""
    """What a write is answered, when it is not taken."""
    reachable: bool = True
    old: bool = False
    """True while its HAProxy is of older scripts: it has no runtime socket."""

    def runs(self, identity: str) -> bool:
        state = self.states[identity]
        return state.present and state.attributes.get("running") is True


@dataclass
class World:
    """Both hosts, and the Redis behind them."""

    nodes: dict[str, Node]
    named: dict[str, str] = field(default_factory=lambda: dict.fromkeys(SENTINELS, MASTER))
    """The master that each Sentinel names; empty: it is silent."""
    balancer: str = ""
    """What the load balancer's address answers; empty: it leads where it should."""
    trail: list[Stage] = field(default_factory=list)

    @classmethod
    def empty(cls) -> World:
        """Return hosts on which nothing was ever installed."""
        return cls({host: Node(_states(host, present=False)) for host in HOSTS})

    @classmethod
    def healthy(cls) -> World:
        """Return hosts that are as described, and lead to the master."""
        mark = described_mark()
        return cls({h: Node(_states(h, present=True), mark, (MASTER,), 1) for h in HOSTS})

    def snapshot(self) -> Snapshot:
        """Return what the hosts say now."""
        seen = {
            host: Observation(node.states, self._answers(node))
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

    def damage(self, host: str, identity: str, **attributes: Value) -> None:
        """Change attributes of a resource, or take it away when none are given."""
        node = self.nodes[host]
        old = node.states[identity]
        state = State(identity, bool(attributes), {**old.attributes, **attributes})
        node.states = {**node.states, identity: state}

    def apply(self, stage: Stage) -> None:
        """Do what the changes of a stage say, as the agent does."""
        self.trail.append(stage)
        for change in stage.changes:
            node = self.nodes[change.host]
            node.states = applied(node.states, [change])
            node.old = node.old and change.identity != CONTAINER
            if change.identity in (CFG, CONTAINER) and node.runs(CONTAINER):
                node.mark, node.routes, node.listens_on = described_mark(), (), "0.0.0.0"

    def wait(self) -> None:
        """Let the watchers that run do a round."""
        [master, *more] = set(self.named.values()) - {""} or {""}
        for node in self.nodes.values():
            if node.runs(WATCHER_UNIT) and node.runs(CONTAINER) and master and not more:
                node.routes, node.age, node.trouble = (master,), 1, ""

    def _answers(self, node: Node) -> dict[str, Answer]:
        write = self._write(node)
        through = Answer(f"redis-proxy.balancer.{BALANCER}:write", problem=self.balancer)
        if not self.balancer:
            through = Answer(through.name, {"accepted": True, "role": "master", "reason": ""})
        ports = [f"{node.listens_on}:6379"] * node.runs(CONTAINER)
        found = [
            Answer("redis-proxy.ports", {"listeners": ports, "connections": {"6379": 7}}),
            *_haproxy(node),
            _heartbeat(node),
            Answer("redis-proxy.clock", {"stdout": f"{_NOW}\n"}),
            *(_sentinel(host, place) for host, place in self.named.items()),
            write,
            through,
        ]
        return {answer.name: answer for answer in found}

    def _write(self, node: Node) -> Answer:
        name = "redis-proxy.session:write"
        if not node.runs(CONTAINER) or not node.routes:
            return Answer(name, problem="Connection reset by peer")
        role = "master" if node.routes[0] in self.named.values() else "slave"
        reason = node.refuses or ("" if role == "master" else "READONLY")
        return Answer(name, {"accepted": not reason, "role": role, "reason": reason})


def _haproxy(node: Node) -> tuple[Answer, Answer]:
    info, stat = "redis-proxy.info", "redis-proxy.stat"
    if node.old or not node.runs(CONTAINER):
        refused = "No such file or directory"
        return Answer(info, problem=refused), Answer(stat, problem=refused)
    rows = ["# pxname,svname,status,addr", "redis,FRONTEND,OPEN,"]
    rows += [f"redis-master,master,UP,{route}" for route in node.routes]
    rows += [] if node.routes else ["redis-master,master,MAINT,192.0.2.1:6379"]
    text = "\n".join([*rows, f"redis-master,BACKEND,{'UP' if node.routes else 'DOWN'},"])
    return (
        Answer(info, {"text": f"Name: HAProxy\ndescription: {node.mark}\n"}),
        Answer(stat, {"text": f"{text}\n"}),
    )


def _heartbeat(node: Node) -> Answer:
    name = "redis-proxy.heartbeat"
    if node.age is None and not node.trouble:
        return Answer(name, problem="No such file or directory")
    success = 0 if node.age is None else _NOW - node.age
    beat = {"master": "".join(node.routes[:1]), "success": success, "trouble": node.trouble}
    return Answer(name, {"text": json.dumps(beat)})


def _sentinel(host: str, place: str) -> Answer:
    if not place:
        return Answer(f"redis-proxy.named-by.{host}", problem="Connection refused")
    address, _, port = place.partition(":")
    replies = {"SENTINEL MASTER kb-redis-master": {"ip": address, "port": port}}
    return Answer(f"redis-proxy.named-by.{host}", {"denied": "", "replies": replies})


def _states(host: str, *, present: bool) -> dict[str, State]:
    key = memory_site().digest_key
    resources = descriptions()[host].modules["redis-proxy"].resources
    return {
        r.identity: State(
            r.identity,
            there := present or r.kind == "retired",
            dict(r.wanted(key)) if there else {},
        )
        for r in resources
    }


def roll(world: World, selected: Iterable[str] = HOSTS) -> End:
    """Drive the module's rollout, until nothing is left or something says no."""
    return drive(
        world,
        MODULE,
        memory_site(),
        descriptions(),
        selected,
        check=lambda stage: check_stage(stage, world),
    )


def check_stage(stage: Stage, world: World) -> None:
    """Assert what must hold for every stage of every roll: one host, and the other one carries the sessions."""
    harmless = ("directory:", "image:")
    touched = {c.host for c in stage.changes if not c.identity.startswith(harmless)}
    assert len(touched) <= 1, "one host at a time"
    for host in touched:
        if world.nodes[host].runs(CONTAINER) and world.nodes[host].routes == (MASTER,):
            others = [n for name, n in world.nodes.items() if name != host and n.reachable]
            for other in others:
                assert other.routes == (MASTER,), "the other host was not proven good first"
