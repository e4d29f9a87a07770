"""A small world of two ProxySQL before one Galera cluster: it answers as hosts do, and obeys stages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from keybuzz.engine.change.guard import disrupted
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Action, State
from keybuzz.model.core.reading import Answer
from keybuzz.model.core.resource import Value
from tasks.proxysql import MODULE
from tasks.proxysql.desired import (
    DEFAULTS,
    LOG,
    PLACES,
    SERVERS,
    SUMS,
    VARIABLES,
    WHERE,
)
from tasks.proxysql.service.resources import RAISED, ProxysqlWriter
from tests.unit.support.resource_values import applied
from tests.unit.support.site_values import described, memory_site
from tests.unit.tasks.driver import End, drive

HOSTS = ("proxysql-01", "proxysql-02")
NODES = ("10.0.0.170", "10.0.0.171", "10.0.0.172")
CONTAINER = "container:proxysql"
CNF = "file:/opt/keybuzz/proxysql/conf/proxysql.cnf"
USERS = "proxysql-tables:MYSQL USERS"
MONITOR = "proxysql-variables:MYSQL VARIABLES"
INSIDE = "proxysql-"
BALANCER = "proxysql.balancer.10.0.0.20"


@lru_cache(maxsize=1)
def descriptions() -> dict[str, HostDescription]:
    """Return the description of both hosts."""
    return described(memory_site(), MODULE)


@dataclass
class Node:
    """One host, as it is now."""

    states: dict[str, State]
    """What is inside proxysql.db is among them, and can be read while the container runs."""
    reachable: bool = True
    settled: bool = True
    """False while its monitor has not checked all nodes since the last change."""
    admin_on: str = "127.0.0.1"
    raised: str = ""
    """Address of the node whose weight is above the others'."""
    offline: frozenset[str] = frozenset()
    """Addresses of nodes that it has taken out."""
    default: str = ""
    """The variable whose login everybody knows, if any."""
    denied: str = ""
    """What its admin port says to our login, when it does not let it in."""
    age: int = 400
    """Milliseconds since its monitor looked."""
    sums: dict[str, str] = field(default_factory=dict)
    """Checksums beside those of what is described."""
    variables: dict[str, str] = field(default_factory=lambda: {"mysql-monitor_enabled": "true"})

    @property
    def runs(self) -> bool:
        state = self.states[CONTAINER]
        return state.present and state.attributes.get("running") is True


@dataclass
class World:
    """Both hosts, and the address of the node that writes are for."""

    nodes: dict[str, Node]
    writer: str = NODES[2]
    direct: str = ""
    """What MariaDB itself answers the application, when it does not let it in."""
    balancer: str = ""
    """Why the load balancer's address is silent; empty: it leads where it should."""
    trail: list[Stage] = field(default_factory=list)

    @classmethod
    def empty(cls) -> World:
        """Return hosts on which nothing was ever installed."""
        return cls({host: Node(_states(host, present=False)) for host in HOSTS})

    @classmethod
    def healthy(cls) -> World:
        """Return hosts that are as described."""
        return cls({host: Node(_states(host, present=True)) for host in HOSTS})

    def snapshot(self) -> Snapshot:
        """Return what the hosts say now."""
        seen = {
            host: Observation(_readable(node), self._answers(node))
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
            assert change.action is not Action.LATER
            if isinstance(change.resource, ProxysqlWriter):
                node.raised = change.resource.node
                continue
            node.states = applied(node.states, [change])
            if change.identity == CONTAINER:
                self._boot(change.host)
            if change.identity.startswith((INSIDE, CONTAINER)):
                node.settled = False

    def _boot(self, host: str) -> None:
        """A first boot reads the file; any other finds what proxysql.db holds."""
        node = self.nodes[host]
        described_states = _states(host, present=True)
        for identity, state in node.states.items():
            if identity.startswith(INSIDE) and not state.present:
                node.states = {**node.states, identity: described_states[identity]}

    def wait(self) -> None:
        """Let the monitors check all nodes."""
        for node in self.nodes.values():
            node.settled = True

    def _answers(self, node: Node) -> dict[str, Answer]:
        good = node.runs and not _differs(node, USERS)
        found = [
            self._admin(node),
            Answer("proxysql.data", {"there": True, "names": ["proxysql.db"] * _booted(node)}),
            _ports(node),
            _login("proxysql.through", "" if good and self.writer else "Access denied"),
            *(_login(f"proxysql.direct.maria-0{number}", self.direct) for number in (1, 2, 3)),
            _login(BALANCER, "" if self._any_serves() else "Access denied"),
        ]
        if not node.runs:
            for name in ("proxysql.admin", "proxysql.through"):
                found.append(Answer(name, problem="Connection refused"))
        if self.balancer:
            found.append(Answer(BALANCER, problem=self.balancer))
        return {answer.name: answer for answer in found}

    def _any_serves(self) -> bool:
        return any(node.runs and not _differs(node, USERS) for node in self.nodes.values())

    def _admin(self, node: Node) -> Answer:
        led = node.raised or self.writer
        writers = ([led] if led else []) if node.settled else list(NODES)
        servers = [row for name in NODES for row in _placed(name, node, writers)]
        log = [
            [
                name,
                *(("NO", "2", "gone") if name in node.offline else ("YES", "4", None)),
                str(node.age),
            ]
            for name in NODES
        ]
        told: dict[str, list[list[str]]] = {
            PLACES: [
                [name, "3306", RAISED if name == node.raised else "1000", "200", "0"]
                for name in NODES
            ],
            DEFAULTS: [[node.default]] if node.default else [],
            VARIABLES: [[name, value] for name, value in node.variables.items()],
        }
        sums = [
            [identity, repr(state.attributes)]
            for identity, state in node.states.items()
            if identity.startswith(INSIDE)
        ]
        sums += [list(item) for item in {"mysql_variables": "0x1", **node.sums}.items()]
        return Answer(
            "proxysql.admin",
            {"denied": node.denied, "rows": {SERVERS: servers, SUMS: sums, LOG: log, **told}},
        )


def _placed(name: str, node: Node, writers: list[str]) -> list[list[str]]:
    """Return the rows of one node of Galera, as the monitor places them."""
    if name in node.offline:
        return [["9999", name, "ONLINE"]]
    reads = ["30", name, "ONLINE"]
    if name in writers:
        return [["10", name, "ONLINE"], reads]
    return [["10", name, "SHUNNED"], ["20", name, "ONLINE"], reads]


def _booted(node: Node) -> bool:
    return any(s.present for identity, s in node.states.items() if identity.startswith(INSIDE))


def _differs(node: Node, identity: str) -> bool:
    return node.states[identity].attributes != _states(HOSTS[0], present=True)[identity].attributes


def _readable(node: Node) -> dict[str, State]:
    silent = {
        identity: State(identity, False, problem="Connection refused")
        for identity in node.states
        if identity.startswith(INSIDE) and not node.runs
    }
    return {**node.states, **silent}


def _ports(node: Node) -> Answer:
    listeners = ["0.0.0.0:3306", f"{node.admin_on}:6032"] if node.runs else []
    return Answer("proxysql.ports", {"listeners": listeners, "connections": {}})


def _login(name: str, denied: str) -> Answer:
    return Answer(name, {"denied": denied, "rows": {} if denied else {WHERE: [["maria-03"]]}})


def _states(host: str, *, present: bool) -> dict[str, State]:
    key = memory_site().digest_key
    resources = descriptions()[host].modules["proxysql"].resources
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
    return drive(world, MODULE, memory_site(), descriptions(), selected, check=_check)


def _check(stage: Stage) -> None:
    assert len(disrupted(stage)) <= 1, "one running host at a time"
