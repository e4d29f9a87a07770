"""A small world in which Redis and Sentinel live: it answers as hosts do, obeys stages, and fails over by itself.

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
from keybuzz.model.core.secret import Secret
from keybuzz.site.site import Site
from tasks.redis import MODULE as REDIS
from tasks.redis.desired import LEAST, PRIORITY, USERS
from tasks.redis.members import CONTAINERS, PASSWORD, RUNTIME, SENTINEL_RUNTIME
from tasks.redis.rotation import LOGIN
from tasks.redis.service.resources import RedisMaster, RedisRuntime
from tests.unit.support.resource_values import applied
from tests.unit.support.site_values import Row, described, fleet_of, memory_site
from tests.unit.tasks.driver import End, drive

HOSTS = ("redis-1", "redis-2", "redis-3")
NAME = "kb-redis-master"
SETTINGS = "redis-settings:live"
WHEN = (
    ("quorum", "2"),
    ("down-after-milliseconds", "5000"),
    ("failover-timeout", "60000"),
)
"""As described."""
MONITOR = f"sentinel-monitor:{NAME}"
DATA = "redis-data:/opt/keybuzz/redis/data"
REDIS_CONTAINER, SENTINEL_CONTAINER = CONTAINERS
_LIVE = {
    SETTINGS: REDIS_CONTAINER,
    PASSWORD: REDIS_CONTAINER,
    MONITOR: SENTINEL_CONTAINER,
}


@lru_cache(maxsize=1)
def rotating_site() -> Site:
    """Return the same site while REDIS_PASSWORD is rotated."""
    return replace(
        site(), former={"REDIS_PASSWORD": Secret("REDIS_PASSWORD", "the-one-before-1234")}
    )


@lru_cache(maxsize=1)
def site() -> Site:
    """Return a site with three Redis servers, of which the second is the master at birth."""
    rows = tuple(
        Row(
            host,
            IPv4Address("10.0.0.123") + number,
            "redis",
            "master" if number == 1 else "replica",
            "redis-ha-docker",
        )
        for number, host in enumerate(HOSTS)
    )
    servers, catalogue = fleet_of(rows)
    return replace(memory_site(), servers=servers, catalogue=catalogue)


@lru_cache(maxsize=2)
def descriptions(*, rotating: bool = False) -> dict[str, HostDescription]:
    """Return the description of every member."""
    return described(rotating_site() if rotating else site(), REDIS)


def address(host: str) -> str:
    return str(site().server(host).address)


def host_at(place: str) -> str:
    return next(host for host in HOSTS if address(host) == place)


@dataclass
class Node:
    """One host, as it is now."""

    states: dict[str, State]
    data: bool = False
    reachable: bool = True
    settled: bool = True
    """False while its link and its Sentinel are on their way."""
    denied: str = ""
    legacy: tuple[str, ...] = ()
    """Files in conf that kbz did not write."""

    def runs(self, container: str) -> bool:
        return self.states[container].attributes.get("running") is True

    @property
    def follows(self) -> object:
        """What its runtime file says; None when there is none."""
        return self.states[RUNTIME].attributes.get("follows")


@dataclass
class World:
    """Three members, and who is master among those that run."""

    nodes: dict[str, Node]
    master: str | None = None
    epoch: int = 0
    trail: list[Stage] = field(default_factory=list)
    rotating: bool = False
    """Whether the site knows a former password."""

    @classmethod
    def empty(cls) -> World:
        """Return servers on which nothing was ever installed."""
        return cls({host: Node(_states(host, False)) for host in HOSTS})

    @classmethod
    def healthy(cls, master: str = "redis-2") -> World:
        """Return a cluster that is as described."""
        world = cls({host: Node(_states(host, True), data=True) for host in HOSTS}, master, 3)
        for host in HOSTS:
            world._learn(host)
        return world

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Hypothesis shows a failing world by this."""
        del cycle
        printer.text(f"master {self.master}, stages {[stage.name for stage in self.trail]}")
        for host, node in self.nodes.items():
            view = self.live().hosts.get(host)
            wrong = [f"{c.action.value} {c.identity}" for c in view.changes] if view else "away"
            printer.text(f"\n  {host} data={node.data} follows={node.follows!r} {wrong}")

    def running(self, container: str) -> list[str]:
        return [host for host, node in self.nodes.items() if node.runs(container)]

    def _learn(self, host: str) -> None:
        """Let the daemons of a host that run write down who is master."""
        node = self.nodes[host]
        assert self.master is not None
        follows = "" if host == self.master else address(self.master)
        known: dict[str, dict[str, Any]] = {}
        if node.runs(REDIS_CONTAINER):
            known[RUNTIME] = {"follows": follows}
        if node.runs(SENTINEL_CONTAINER):
            known[SENTINEL_RUNTIME] = {"monitors": address(self.master), "epoch": self.epoch}
        for identity, attributes in known.items():
            old = node.states[identity]
            node.states[identity] = replace(old, attributes={**old.attributes, **attributes})

    def elect(self) -> None:
        """Do what Redis and Sentinel do by themselves, and check that nobody made a second master."""
        alive = self.running(REDIS_CONTAINER)
        if self.master is None:
            born = [host for host in alive if self.nodes[host].follows == ""]
            assert len(born) <= 1, f"{born} all start as masters"
            self.master = born[0] if born else None
        if self.master is not None and self.master not in alive:
            heirs = [host for host in alive if self.nodes[host].data]
            if len(self.running(SENTINEL_CONTAINER)) >= 2 and heirs:
                self.master, self.epoch = heirs[0], self.epoch + 1
        if self.master in alive:
            for host in alive:
                self.nodes[host].data = True
            for host in self.nodes:
                self._learn(host)

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
        view = View(
            descriptions(rotating=self.rotating), self.snapshot(), chosen, site().digest_key
        )
        return view.live(REDIS, site())

    def apply(self, stage: Stage) -> None:
        """Do what the changes of a stage say, and let time pass."""
        self.trail.append(stage)
        before = {host: node.runs(REDIS_CONTAINER) for host, node in self.nodes.items()}
        for change in stage.changes:
            self._apply(change)
        for host, node in self.nodes.items():
            started = node.runs(REDIS_CONTAINER) and not before[host]
            if started and self.master not in (None, host) and self._master_runs():
                assert node.follows != "", f"{host} starts as a second master beside {self.master}"
        self.elect()
        self.wait()

    def _master_runs(self) -> bool:
        return self.master in self.running(REDIS_CONTAINER)

    def wait(self) -> None:
        """Let members that are on their way arrive."""
        for node in self.nodes.values():
            node.settled = True

    def _apply(self, change: Change) -> None:
        node = self.nodes[change.host]
        assert node.reachable
        assert change.action is not Action.LATER
        if isinstance(change.resource, RedisMaster):
            assert self.master == change.host
            heirs = [host for host in self.running(REDIS_CONTAINER) if host != change.host]
            wanted = change.resource.heir
            self.master = host_at(wanted) if wanted else heirs[0]
            self.epoch += 1
            return
        told = isinstance(change.resource, RedisRuntime) and change.resource.follows
        if change.action is Action.UPDATE and told is not None and told is not False:
            assert told, "kbz promotes no node"
            assert not node.runs(REDIS_CONTAINER), "a running Redis writes its own file"
        node.states = applied(node.states, [change])

    def _seen(self, host: str) -> dict[str, State]:
        """Return the states; what is inside a daemon can only be read while it runs."""
        node = self.nodes[host]
        found = dict(node.states)
        for identity, container in _LIVE.items():
            shut = identity in (SETTINGS, PASSWORD) and node.denied
            if not node.runs(container) or shut:
                found[identity] = State(identity, False, problem="nothing answers")
        return found

    def _answers(self, host: str) -> dict[str, Answer]:
        node = self.nodes[host]
        data = ["appendonlydir"] if node.data else []
        return {
            "redis.data": Answer("redis.data", {"there": node.data, "names": data}),
            "redis.conf": Answer("redis.conf", {"there": True, "names": list(node.legacy)}),
            "redis.units": Answer("redis.units", {"there": True, "names": ["docker.service"]}),
            "redis.node": self._node(host),
            LOGIN: self._login(host),
            "redis.sentinel": self._sentinel(host),
        }

    def _node(self, host: str) -> Answer:
        node = self.nodes[host]
        if not node.runs(REDIS_CONTAINER):
            return Answer("redis.node", problem="Connection refused")
        if node.denied:
            return Answer("redis.node", {"denied": node.denied, "replies": {}})
        replies = {
            "INFO server": {"redis_version": "7.2.5"},
            "INFO replication": self._replication(host),
            "INFO persistence": {
                "aof_enabled": "1",
                "aof_last_write_status": "ok",
                "rdb_last_bgsave_status": "ok",
            },
            " ".join(LEAST): {"min-replicas-to-write": "0"},
            " ".join(PRIORITY): {"replica-priority": "100"},
            " ".join(USERS): ["user default on #… sanitize-payload ~* &* +@all"],
        }
        return Answer("redis.node", {"denied": "", "replies": replies})

    def _login(self, host: str) -> Answer:
        node = self.nodes[host]
        if not node.runs(REDIS_CONTAINER):
            return Answer(LOGIN, problem="Connection refused")
        taken: Any = node.states[PASSWORD].attributes["taken"]
        return Answer(LOGIN, {"denied": "" if "ours" in taken else "WRONGPASS", "replies": {}})

    def _replication(self, host: str) -> dict[str, str]:
        replicas = [other for other in self.running(REDIS_CONTAINER) if other != self.master]
        if host == self.master:
            return {
                "role": "master",
                "connected_slaves": str(len(replicas)),
                "master_repl_offset": "900",
            }
        up = self._master_runs() and self.nodes[host].settled
        return {
            "role": "slave",
            "master_host": str(self.nodes[host].follows),
            "master_link_status": "up" if up else "down",
            "slave_repl_offset": "890",
            "slave_read_only": "1",
        }

    def _sentinel(self, host: str) -> Answer:
        node, running = self.nodes[host], self.running(SENTINEL_CONTAINER)
        if not node.runs(SENTINEL_CONTAINER):
            return Answer("redis.sentinel", problem="Connection refused")
        known = node.states[SENTINEL_RUNTIME].attributes
        master = {
            "name": NAME,
            "ip": str(known.get("monitors", "")),
            "config-epoch": str(known.get("epoch", 0)),
            "flags": "master" if self._master_runs() else "master,s_down",
            "num-slaves": str(len(self.running(REDIS_CONTAINER)) - 1),
            "num-other-sentinels": str(len(running) - 1 if node.settled else 0),
            "last-ok-ping-reply": "412",
            "last-ping-reply": "412",
            **dict(WHEN),
        }
        enough = len(running) >= 2
        quorum: Any = f"OK {len(running)} usable" if enough else {"error": "NOQUORUM 1 usable"}
        masters = [master] if node.states[MONITOR].present else []
        replies = {"SENTINEL MASTERS": masters, f"SENTINEL CKQUORUM {NAME}": quorum}
        return Answer("redis.sentinel", {"denied": "", "replies": replies})


def _states(host: str, present: bool) -> dict[str, State]:
    """Return the states of a host that is as described, or of a bare one."""
    found: dict[str, State] = {}
    key = site().digest_key
    for resource in descriptions()[host].modules["redis"].resources:
        identity = resource.identity
        wanted = dict(resource.wanted(key))
        # Nothing contradicts a format where there is no data; what daemons know is right once they run.
        kept = present or identity in (DATA, *_LIVE) or resource.kind == "retired"
        found[identity] = State(identity, kept, wanted if kept else {})
    return found


def roll(world: World, selected: Iterable[str] | None = None) -> End:
    """Drive the module's rollout, until nothing is left or something says no."""
    chosen = frozenset(world.nodes if selected is None else selected)
    at, known = (
        (rotating_site() if world.rotating else site()),
        descriptions(rotating=world.rotating),
    )
    return drive(world, REDIS, at, known, chosen, check=lambda stage: _check(stage, world, chosen))


def _check(stage: Stage, world: World, selected: frozenset[str]) -> None:
    """Assert what must hold for every stage of every roll."""
    stopping = disrupted(stage)
    assert len(stopping) <= 1, "one running member at a time"
    replaced = {c.host for c in stage.changes if c.identity == REDIS_CONTAINER and c.disrupts}
    if world.master in replaced:
        assert len([node for node in world.nodes.values() if node.reachable]) == 1, "no hand over"
    for change in stage.changes:
        assert change.host in selected, f"{change.host} is not selected"
