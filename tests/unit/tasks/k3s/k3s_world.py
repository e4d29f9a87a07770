"""A small world of eight K3s hosts: it answers as hosts do, obeys stages, and refuses what K3s and etcd refuse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from keybuzz.engine.change.guard import disrupted
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Change, State
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.system import SystemdUnit
from tasks.k3s import MODULE
from tasks.k3s.certificates import STATE
from tasks.k3s.service.resources import (
    K3sDrained,
    K3sForgotten,
    K3sManifest,
    K3sSchedulable,
    K3sSnapshot,
    K3sStart,
    K3sTokenRotated,
)
from tasks.k3s.values import unit
from tests.unit.support.resource_values import applied
from tests.unit.support.site_values import described, memory_site
from tests.unit.tasks.driver import End, drive

MASTERS = tuple(f"k8s-master-0{n}" for n in (1, 2, 3))
WORKERS = tuple(f"k8s-worker-0{n}" for n in (1, 2, 3, 4, 5))
HOSTS = MASTERS + WORKERS
VERSION = "v1.33.5+k3s1"
NOW, DAY = 1_800_000_000, 86_400
"""Seconds since the epoch, by every host's clock, and of a day."""


@lru_cache(maxsize=1)
def descriptions() -> dict[str, HostDescription]:
    """Return the description of every member."""
    return described(memory_site(), MODULE)


def address(host: str) -> str:
    return str(memory_site().server(host).address)


def unit_of(host: str) -> str:
    return f"systemd-unit:{unit(memory_site().server(host))}"


def start_of(host: str) -> str:
    return f"k3s-start:{unit(memory_site().server(host))}"


@dataclass
class Host:
    """One server, as it is now."""

    states: dict[str, State]
    authority: str = ""
    """Of the cluster whose data it holds."""
    password: bool = False
    reachable: bool = True
    snapshots: int = 0
    sick: bool = False
    """It runs, and is not Ready."""
    silent: bool = False
    """Its pod of the ingress is ready, and does not answer."""
    foreign: bool = False
    certificates: dict[str, int] = field(default_factory=lambda: {"agent/client-kubelet.crt": 300})
    """Days that each is good for, by its path below K3s' folder."""


@dataclass
class Known:
    """What the cluster knows of one node."""

    held: str = ""
    cordoned: bool = False
    version: str = VERSION


@dataclass
class World:
    """Eight hosts, the cluster that they make, and what happened to them."""

    hosts: dict[str, Host]
    nodes: dict[str, Known] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    """Of etcd."""
    differs: tuple[str, ...] = ("Namespace/ingress-nginx is missing",)
    births: int = 0
    trail: list[Stage] = field(default_factory=list)

    @classmethod
    def empty(cls) -> World:
        """Return servers on which nothing was ever installed."""
        return cls({host: Host(_states(host, present=False)) for host in HOSTS})

    @classmethod
    def healthy(cls) -> World:
        """Return a cluster that is as described."""
        hosts = {
            host: Host(_states(host, present=True), "ours" if host in MASTERS else "", True)
            for host in HOSTS
        }
        return cls(hosts, {host: Known() for host in HOSTS}, set(MASTERS), (), 1)

    def wipe(self, host: str) -> None:
        """Put a bare server of the same name in a host's place."""
        self.hosts[host] = Host(_states(host, present=False))

    def damage(self, host: str, identity: str, **attributes: object) -> None:
        merged = {**self.hosts[host].states[identity].attributes, **attributes}
        self.hosts[host].states[identity] = State(identity, True, merged)  # type: ignore[arg-type]  # values of tests

    def stop(self, *hosts: str) -> None:
        for host in hosts:
            self.damage(host, unit_of(host), running=False, state="inactive")

    def runs(self, host: str) -> bool:
        state = self.hosts[host].states[unit_of(host)]
        return state.attributes.get("running") is True and self.hosts[host].reachable

    def serving(self) -> set[str]:
        """Return the masters that see a majority of etcd."""
        there = {host for host in self.members if self.runs(host) and self.hosts[host].authority}
        return there if 2 * len(there) > len(self.members) else set()

    def snapshot(self) -> Snapshot:
        """Return what the hosts say now."""
        seen = {
            host: Observation(self._seen(host), self._answers(host))
            for host, found in self.hosts.items()
            if found.reachable
        }
        away = {host: "no route" for host, found in self.hosts.items() if not found.reachable}
        return Snapshot(seen, away)

    def live(self, selected: Iterable[str] = HOSTS) -> Live:
        """Return what the engine sees now."""
        chosen = frozenset(selected)
        view = View(descriptions(), self.snapshot(), chosen, memory_site().digest_key)
        return view.live(MODULE, memory_site())

    def wait(self) -> None:
        """Nothing of it is on its way."""

    def apply(self, stage: Stage) -> None:
        """Do what the changes of a stage say, as K3s does it."""
        self.trail.append(stage)
        for change in stage.changes:
            self._apply(change)

    def _apply(self, change: Change) -> None:
        host = self.hosts[change.host]
        match change.resource:
            case K3sForgotten(node=name):
                assert change.host in self.serving()
                assert not (self.runs(name) and name in self.nodes), "it is Ready"
                self.nodes.pop(name, None)
                self.members.discard(name)
            case K3sDrained(node=name):
                self.nodes[name].held, self.nodes[name].cordoned = "drained", True
            case K3sSchedulable(node=name):
                self.nodes[name].held, self.nodes[name].cordoned = "", False
            case K3sManifest():
                self.differs = ()
            case K3sSnapshot():
                assert change.host in self.serving(), "etcd has no majority"
                host.snapshots += 1
            case K3sTokenRotated():
                assert change.host in self.serving(), "etcd has no majority"
                self.damage(change.host, "k3s-token:live", token_matches=True)
            case SystemdUnit():
                host.states = applied(host.states, [change])
                self._start(change.host)
            case K3sStart(by=by):
                assert by != "cluster-init" or not host.authority, "it holds data"
                host.states = applied(host.states, [change])
            case _:
                host.states = applied(host.states, [change])

    def _start(self, name: str) -> None:
        host = self.hosts[name]
        self.damage(name, unit_of(name), state="active")
        by = host.states[start_of(name)].attributes.get("by")
        if name in MASTERS and not host.authority:
            if by == "cluster-init":
                self.births += 1
                host.authority = "ours"
                self.members = {name}
            else:
                assert self.serving(), "there is nobody to join"
                assert name not in self.members, "duplicate node name found"
                self.members.add(name)
                host.authority = "ours"
        if self.serving():
            assert host.password or name not in self.nodes, "Node password rejected"
            host.password = True
            self.nodes.setdefault(name, Known())

    def _seen(self, host: str) -> dict[str, State]:
        found = dict(self.hosts[host].states)
        for resource in descriptions()[host].modules["k3s"].cluster:
            identity = resource.identity
            if host not in self.serving():
                found[identity] = State(identity, False, problem="the API does not answer")
            elif isinstance(resource, K3sManifest):
                found[identity] = State(identity, True, {"differs": self.differs})
            elif isinstance(resource, K3sSchedulable):
                known = self.nodes.get(resource.node)
                found[identity] = State(identity, True, {"held": bool(known and known.held)})
        return found

    def _answers(self, host: str) -> dict[str, Answer]:
        found = self.hosts[host]
        etcd = ["member"] * bool(found.authority)
        others = {f"10.42.{n}.0": "" for n, name in enumerate(HOSTS) if name != host}
        ends = {f"{STATE}/{path}": NOW + days * DAY for path, days in found.certificates.items()}
        network = {"vxlan": True, "interface": "ens10", "mtu": 1400, "interface_mtu": 1450}
        listed = {
            "k3s.node": ["password"] * found.password,
            "k3s.database": ["etcd"] * bool(etcd) + ["state.db"] * found.foreign,
            "k3s.etcd": etcd,
        }
        return {
            **{name: Answer(name, {"there": True, "names": n}) for name, n in listed.items()},
            "k3s.ingress": Answer("k3s.ingress", problem="Connection refused")
            if found.silent
            else Answer("k3s.ingress", {"status": 200, "json": None}),
            "k3s.network": Answer("k3s.network", {**network, "routes": others}),
            "k3s.certificates": Answer("k3s.certificates", {"ends": ends, "now": NOW}),
            "k3s.log": Answer("k3s.log", {"exit_code": 0, "stdout": "", "stderr": ""}),
            **({"k3s.api": self._api(host)} if host in MASTERS else {}),
        }

    def _api(self, host: str) -> Answer:
        if not self.runs(host) or not self.hosts[host].authority:
            return Answer("k3s.api", problem="the API of K3s does not answer: Connection refused")
        found = {"authority": self.hosts[host].authority, "nodes": [], "ingress": {}}
        if host not in self.serving():
            return Answer("k3s.api", {**found, "ready": False, "failed": ["etcd"]})
        total = len(self.nodes)
        ready = sum(self._ready(name) for name in self.nodes)
        ingress = {
            "desired": total,
            "ready": ready,
            "updated": total,
            "seen": True,
            "host_network": True,
            "image": "controller",
        }
        return Answer(
            "k3s.api",
            {
                **found,
                "ready": True,
                "failed": [],
                "version": VERSION,
                "nodes": [self._node(name) for name in sorted(self.nodes)],
                "ingress": {} if self.differs else ingress,
                "dns": 1,
                "metrics": True,
            },
        )

    def _ready(self, name: str) -> bool:
        return name in HOSTS and self.runs(name) and not self.hosts[name].sick

    def _node(self, name: str) -> dict[str, object]:
        known = self.nodes[name]
        where = address(name) if name in HOSTS else "10.0.0.99"
        return {
            "name": name,
            "ready": "True" if self._ready(name) else "Unknown",
            "reason": "KubeletReady" if self._ready(name) else "NodeStatusUnknown",
            "voter": name in self.members,
            "server": name in MASTERS,
            "etcd": name in MASTERS,
            "cordoned": known.cordoned,
            "held": known.held,
            "version": known.version,
            "address": where,
            "flannel": where,
            "pods": f"10.42.{HOSTS.index(name) if name in HOSTS else 99}.0/24",
        }


def _states(host: str, *, present: bool) -> dict[str, State]:
    key = memory_site().digest_key
    found = {}
    for resource in descriptions()[host].modules["k3s"].resources:
        there = present or isinstance(resource, K3sStart) or resource.kind in ("absent", "retired")
        attributes = dict(resource.wanted(key)) if there else {}
        if present and isinstance(resource, SystemdUnit):
            attributes["state"] = "active"
        found[resource.identity] = State(resource.identity, there, attributes)
    return found


def roll(world: World, selected: Iterable[str] = HOSTS) -> End:
    """Drive the module's rollout, until nothing is left or something says no."""
    return drive(world, MODULE, memory_site(), descriptions(), selected, check=_check)


def _check(stage: Stage) -> None:
    assert len(disrupted(stage)) <= 1, "one running node at a time"
