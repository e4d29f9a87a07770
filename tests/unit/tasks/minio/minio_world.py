"""A small world in which MinIO lives: it answers as hosts do, obeys stages, and keeps its quorum by itself.

Everything of the product is real here (descriptions, planning, views, rollouts, the guard) but hosts and time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Any

from keybuzz.engine.change.guard import disrupted
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Action, Change, State
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.docker import Container
from keybuzz.site.site import Site
from tasks.minio import MODULE, values
from tasks.minio.members import CONTAINER_ID, DRIVE_ID
from tasks.minio.service.resources import MinioAliases, MinioBucket, MinioDrive
from tests.unit.support.resource_values import applied
from tests.unit.support.site_values import Row, described, fleet_of, memory_site, with_parameters
from tests.unit.tasks.driver import End, drive

HOSTS = ("minio-01", "minio-02", "minio-03")
BUCKET = "minio-bucket:keybuzz-backups"
ALIASES_ID = f"minio-aliases:{values.ALIASES}"
DEPLOYMENT = "11111111-aaaa-4000-8000-000000000001"
PLACES = {host: number for number, host in enumerate(HOSTS, start=1)}


@lru_cache(maxsize=1)
def site() -> Site:
    """Return a site with three MinIO servers, whose addresses are in another order than their names."""
    rows = tuple(
        Row(host, IPv4Address(f"10.0.0.{last}"), "storage", "minio", "minio-docker")
        for host, last in zip(HOSTS, (134, 131, 132), strict=True)
    )
    servers, catalogue = fleet_of(rows)
    return replace(memory_site(), servers=servers, catalogue=catalogue)


@lru_cache(maxsize=1)
def descriptions() -> dict[str, HostDescription]:
    """Return the description of every member."""
    return described(site(), MODULE)


@lru_cache(maxsize=1)
def names() -> dict[str, str]:
    """Return how MinIO names each host."""
    return {host: values.node_of(site().server(host)) for host in HOSTS}


@dataclass
class Node:
    """One host, as it is now."""

    states: dict[str, State]
    deployment: str = ""
    place: int = 0
    size: int = 3
    healing: bool = False
    frozen: bool = False
    slow: bool = False
    reachable: bool = True
    denied: bool = False
    mounted: bool = True
    foreign: str = ""
    """What lies on its drive that is not MinIO's."""
    aliases: tuple[str, ...] = ()
    listens: str = ""
    """Address of its listeners, when that is not its own."""
    version: str = "2024-10-02T17:50:41Z"

    @property
    def running(self) -> bool:
        return self.states[CONTAINER_ID].attributes.get("running") is True


@dataclass
class World:
    """Three members, and what is inside the cluster."""

    nodes: dict[str, Node]
    bucket: str = ""
    """Its versioning; empty without a bucket."""
    births: int = 0
    trail: list[Stage] = field(default_factory=list)

    @classmethod
    def empty(cls) -> World:
        """Return servers on which nothing was ever installed."""
        return cls({host: Node(_states(host, False)) for host in HOSTS})

    @classmethod
    def healthy(cls) -> World:
        """Return a cluster that is as described."""
        nodes = {host: Node(_states(host, True), DEPLOYMENT, PLACES[host]) for host in HOSTS}
        return cls(nodes, "Enabled")

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Hypothesis shows a failing world by this."""
        del cycle
        printer.text(f"stages {[stage.name for stage in self.trail]}")
        for host, node in self.nodes.items():
            printer.text(f"\n  {host} {node.deployment[-1:]}:{node.place} running={node.running}")

    def stop(self, *hosts: str) -> None:
        """Stop servers, or kill them: for MinIO that is the same."""
        for host in hosts:
            node = self.nodes[host]
            old = node.states[CONTAINER_ID]
            stopped = {**old.attributes, "running": False} if old.present else {}
            node.states[CONTAINER_ID] = replace(old, attributes=stopped)

    def wipe(self, host: str) -> None:
        """Replace a server by a bare one."""
        self.nodes[host] = World.empty().nodes[host]

    def serving(self) -> list[str]:
        """Return who has the write quorum: two running nodes of one deployment with the same drives."""
        groups: dict[tuple[str, object], list[str]] = {}
        for host, node in self.nodes.items():
            if node.running and node.deployment:
                words = node.states[CONTAINER_ID].attributes["command"]
                assert isinstance(words, tuple)
                groups.setdefault((node.deployment, values.drives_in(words)), []).append(host)
        return next((group for group in groups.values() if len(group) >= 2), [])

    def form(self) -> None:
        """Do what MinIO does by itself: format three fresh drives, give a fresh one its place."""
        running = {host: node for host, node in self.nodes.items() if node.running}
        if len(running) == 3 and not any(node.deployment for node in running.values()):
            self.births += 1
            for host, node in running.items():
                node.deployment, node.place = DEPLOYMENT, PLACES[host]
        elif serving := self.serving():
            for host, node in running.items():
                if not node.deployment:
                    node.deployment = self.nodes[serving[0]].deployment
                    node.place, node.healing = PLACES[host], True

    def wait(self) -> None:
        """Let drives get what they missed."""
        self.form()
        if self.serving():
            for node in self.nodes.values():
                node.healing = node.healing and not node.running

    def snapshot(self) -> Snapshot:
        """Return what the hosts say now."""
        reachable = {host: node for host, node in self.nodes.items() if node.reachable}
        observations = {
            host: Observation(self._seen(host), self._answers(host)) for host in reachable
        }
        away = {host: "no route" for host in self.nodes if host not in reachable}
        return Snapshot(observations, away)

    def live(self, selected: Iterable[str] | None = None) -> Live:
        """Return what the engine sees now."""
        chosen = frozenset(self.nodes if selected is None else selected)
        view = View(descriptions(), self.snapshot(), chosen, site().digest_key)
        return view.live(MODULE, site())

    def apply(self, stage: Stage) -> None:
        """Do what the changes of a stage say, and let time pass."""
        self.trail.append(stage)
        for change in stage.changes:
            self._apply(change)
        self.form()

    def _apply(self, change: Change) -> None:
        node = self.nodes[change.host]
        assert node.reachable
        assert change.action is not Action.LATER
        assert not isinstance(change.resource, MinioDrive | MinioAliases), "never written"
        if isinstance(change.resource, MinioBucket):
            assert change.host == "minio-01", "written at another place than the one entry"
            self.bucket = "Enabled"
            return
        if change.disrupts:
            self.stop(change.host)
            assert self.serving(), f"replacing {change.host} ended the cluster"
        node.states = applied(node.states, [change])
        if isinstance(change.resource, Container):
            wanted = dict(change.resource.wanted(site().digest_key))
            old = node.states[CONTAINER_ID]
            node.states[CONTAINER_ID] = replace(old, present=True, attributes=wanted)

    def _seen(self, host: str) -> dict[str, State]:
        node, found = self.nodes[host], dict(self.nodes[host].states)
        word = f"no format.json, and {node.foreign}" if node.foreign else "empty"
        found[DRIVE_ID] = State(
            DRIVE_ID,
            True,
            {
                "usable": not node.foreign,
                "found": "minio" if node.deployment else word,
                "mounted": node.mounted,
                "deployment": node.deployment,
                "place": node.place,
                "size": node.size if node.deployment else 0,
            },
        )
        found[ALIASES_ID] = State(ALIASES_ID, True, {"others": node.aliases})
        found[BUCKET] = State(BUCKET, bool(self.bucket), {"versioning": self.bucket})
        if host not in self.serving() or node.denied:
            found[BUCKET] = State(BUCKET, False, problem="MinIO does not answer")
        return found

    def _answers(self, host: str) -> dict[str, Answer]:
        node = self.nodes[host]
        serves = host in self.serving()
        live = {"status": 200 if node.running else 0, "json": None}
        cluster = {"status": 200 if serves else 503, "json": None}
        silent = "MinIO does not answer"
        address = node.listens or str(site().server(host).address)
        listeners = [f"{address}:{port}" for port in (9000, 9001)] if node.running else []
        return {
            "minio.live": Answer("minio.live", live)
            if node.running
            else Answer("minio.live", problem=silent),
            "minio.cluster": Answer("minio.cluster", cluster)
            if node.running
            else Answer("minio.cluster", problem=silent),
            "minio.console": Answer("minio.console", live),
            "minio.node": self._look(node) if serves else Answer("minio.node", problem=silent),
            "minio.ports": Answer("minio.ports", {"listeners": listeners, "connections": {}}),
            "minio.log": Answer(
                "minio.log", {"restarts": 0, "stdout": "", "stderr": "one\nlast words\n"}
            ),
        }

    def _look(self, node: Node) -> Answer:
        if node.denied:
            return Answer("minio.node", {"denied": True})
        serving = self.serving()
        state = {names()[host]: host in serving for host in HOSTS}
        return Answer(
            "minio.node",
            {
                "denied": False,
                "deployment": node.deployment,
                "servers": {name: "online" if on else "offline" for name, on in state.items()},
                "drives": {name: "ok" if on else "offline" for name, on in state.items()},
                "healing": [names()[host] for host in serving if self.nodes[host].healing],
                "sets": [3],
                "parity": 1,
                "version": node.version,
                "frozen": node.frozen,
                "slow": node.slow,
            },
        )


def _states(host: str, present: bool) -> dict[str, State]:
    """Return the states of a host that is as described, or of a bare one; what a drive says is asked of the node."""
    found: dict[str, State] = {}
    description = descriptions()[host].modules["minio"]
    for resource in description.resources:
        wanted = dict(resource.wanted(site().digest_key))
        there = present or resource.kind == "retired"
        found[resource.identity] = State(resource.identity, there, wanted if there else {})
    return found


def roll(world: World, selected: Iterable[str] | None = None, stages: int = 100) -> End:
    """Drive the module's rollout, until nothing is left or something says no."""
    chosen = frozenset(world.nodes if selected is None else selected)
    return drive(
        world,
        MODULE,
        site(),
        descriptions(),
        chosen,
        check=lambda stage: _check(stage, chosen),
        stages=stages,
    )


def _check(stage: Stage, selected: frozenset[str]) -> None:
    """Assert what must hold for every stage of every roll."""
    assert len(disrupted(stage)) <= 1, "one running member at a time"
    for change in stage.changes:
        assert change.host in selected or change.identity == BUCKET, f"{change.host} not selected"


__all__ = [
    "BUCKET",
    "DEPLOYMENT",
    "HOSTS",
    "End",
    "Node",
    "World",
    "roll",
    "site",
    "with_parameters",
]
