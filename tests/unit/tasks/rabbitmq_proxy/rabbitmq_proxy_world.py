"""A small world of two entry hosts before one RabbitMQ cluster: it answers as hosts do, and obeys stages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import State
from keybuzz.model.core.reading import Answer
from keybuzz.model.core.resource import Value
from tasks.rabbitmq_proxy import MODULE
from tasks.rabbitmq_proxy.members import CFG, CONTAINER
from tasks.rabbitmq_proxy.values import CLUSTER, haproxy_values
from tests.unit.support.resource_values import applied
from tests.unit.support.site_values import described, memory_site
from tests.unit.tasks.driver import End, drive

HOSTS = ("haproxy-01", "haproxy-02")
BALANCER = "10.0.0.10"


@lru_cache(maxsize=1)
def descriptions() -> dict[str, HostDescription]:
    """Return the description of both hosts."""
    return described(memory_site(), MODULE)


@lru_cache(maxsize=1)
def described_mark() -> str:
    """Return the mark of the described haproxy.cfg."""
    return haproxy_values(memory_site()).mark


@dataclass
class Node:
    """One host, as it is now."""

    states: dict[str, State]
    mark: str = ""
    """Of the configuration that HAProxy runs with."""
    reachable: bool = True
    settled: bool = True
    """False while its checks have not found the nodes yet."""
    refuses: str = ""
    """What a login is answered, when it is not let in."""
    cluster: str = CLUSTER
    """Where a login leads."""
    reloads: bool = True
    """False where HAProxy goes on with the configuration before."""

    @property
    def runs(self) -> bool:
        state = self.states[CONTAINER]
        return state.present and state.attributes.get("running") is True


@dataclass
class World:
    """Both hosts, and the load balancer before them."""

    nodes: dict[str, Node]
    balancer: str = ""
    """Why the load balancer's address does not answer; empty when it does."""
    trail: list[Stage] = field(default_factory=list)

    @classmethod
    def empty(cls) -> World:
        """Return hosts on which nothing was ever installed."""
        return cls({host: Node(_states(host, present=False)) for host in HOSTS})

    @classmethod
    def healthy(cls) -> World:
        """Return hosts that are as described."""
        return cls({host: Node(_states(host, present=True), described_mark()) for host in HOSTS})

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
        merged = {**node.states[identity].attributes, **attributes}
        node.states = {**node.states, identity: State(identity, bool(attributes), merged)}

    def apply(self, stage: Stage) -> None:
        """Do what the changes of a stage say, as the agent does."""
        self.trail.append(stage)
        for change in stage.changes:
            node = self.nodes[change.host]
            node.states = applied(node.states, [change])
            reread = change.identity == CFG and node.runs and node.reloads
            if reread or change.identity == CONTAINER:
                node.mark, node.settled = described_mark(), False

    def wait(self) -> None:
        """Let checks find the nodes."""
        for node in self.nodes.values():
            node.settled = True

    def _answers(self, node: Node) -> dict[str, Answer]:
        login = self._login("rabbitmq-proxy.login", [node])
        through = self._login(f"rabbitmq-proxy.balancer.{BALANCER}", list(self.nodes.values()))
        if self.balancer:
            through = Answer(through.name, problem=self.balancer)
        said = [
            Answer("rabbitmq-proxy.info", {"text": f"Name: HAProxy\ndescription: {node.mark}\n"}),
            Answer("rabbitmq-proxy.stat", {"text": _statistics(node)}),
        ]
        if not node.runs:
            said = [Answer(answer.name, problem="No such file or directory") for answer in said]
        listeners = ["0.0.0.0:5672"] * node.runs
        ports = Answer("rabbitmq-proxy.ports", {"listeners": listeners, "connections": {"5672": 4}})
        return {answer.name: answer for answer in (*said, ports, login, through)}

    def _login(self, name: str, through: list[Node]) -> Answer:
        serving = [node for node in through if node.reachable and node.runs and node.settled]
        if not serving:
            return Answer(name, problem="Connection refused")
        node = serving[0]
        return Answer(
            name,
            {"accepted": not node.refuses, "reason": node.refuses, "cluster": node.cluster},
        )


def _statistics(node: Node) -> str:
    word = "UP" if node.settled else "DOWN"
    rows = [f"rabbitmq_nodes,queue-0{number},{word}" for number in (1, 2, 3)]
    return "\n".join(["# pxname,svname,status", *rows, f"rabbitmq_nodes,BACKEND,{word}"]) + "\n"


def _states(host: str, *, present: bool) -> dict[str, State]:
    key = memory_site().digest_key
    return {
        r.identity: State(
            r.identity,
            there := present or r.kind == "retired",
            dict(r.wanted(key)) if there else {},
        )
        for r in descriptions()[host].modules[MODULE.name].resources
    }


def roll(world: World, selected: Iterable[str] = HOSTS) -> End:
    """Drive the module's rollout, until nothing is left or something says no."""
    return drive(
        world,
        MODULE,
        memory_site(),
        descriptions(),
        selected,
        check=lambda stage: _check_stage(stage, world),
    )


def _check_stage(stage: Stage, world: World) -> None:
    """Assert what must hold for every stage of every roll, after its gate before has held."""
    touched = {
        change.host
        for change in stage.changes
        if not change.identity.startswith(("directory:", "image:"))
    }
    assert len(touched) <= 1, "one host at a time"
    for host in touched:
        if world.nodes[host].runs:
            others = [other for name, other in world.nodes.items() if name != host]
            for other in (other for other in others if other.reachable):
                assert other.runs, "the other host carries no connections"
                assert other.settled, "the other host was not proven good first"
                assert not other.refuses
