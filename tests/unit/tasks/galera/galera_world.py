"""A small world in which Galera lives: it answers as hosts do, obeys stages, and keeps its quorum by itself.

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
from keybuzz.model.host.docker import Container, StoppedContainer
from keybuzz.model.host.files import File
from keybuzz.site.site import Site
from tasks.galera import MODULE, values
from tasks.galera.desired import OPEN_ACCOUNTS, STATUS, VARIABLES
from tasks.galera.members import CONTAINER_ID, DATA_ID, MARKER_ID
from tasks.galera.rotation import LOGIN
from tasks.galera.service.resources import MysqlUser
from tests.unit.support.resource_values import applied
from tests.unit.support.site_values import Row, described, fleet_of, memory_site
from tests.unit.tasks.driver import End, drive

HOSTS = ("maria-1", "maria-2", "maria-3")
INSIDE = (
    "mysql-database:erpnext",
    "mysql-user:erpnext",
    "mysql-user:kb_monitor",
    "mysql-no-user:kb_monitor@localhost",
    "mysql-no-user:kb_sst@localhost",
)
HISTORY = "11111111-2222-11f1-94c9-5a6ffdb6ac67"
FLAG = f"{values.BOOTSTRAP}=(not described)"


@lru_cache(maxsize=1)
def site() -> Site:
    """Return a site with three MariaDB servers."""
    rows = tuple(
        Row(host, IPv4Address("10.0.0.170") + number, "db", "mariadb", "mariadb-galera-docker")
        for number, host in enumerate(HOSTS)
    )
    servers, catalogue = fleet_of(rows)
    return replace(memory_site(), servers=servers, catalogue=catalogue)


@lru_cache(maxsize=4)
def descriptions(rotating: str = "") -> dict[str, HostDescription]:
    """Return the description of every member, also while a credential is rotated."""
    former = {rotating: Secret(rotating, "the-one-before-1234")} if rotating else {}
    return described(replace(site(), former=former), MODULE)


@dataclass
class Node:
    """One host, as it is now."""

    states: dict[str, State]
    history: str = ""
    """Of the data on its disk; empty without any."""
    number: int = -1
    view: frozenset[str] | None = None
    """gvwstate.dat: who was in its last Primary component; gone after a clean stop."""
    primary: bool = False
    settled: bool = True
    reachable: bool = True
    denied: str = ""
    volume: tuple[str, ...] = ()
    """What lies in its volume beside a database."""
    half: bool = False
    """The image's setup was cut off: system tables, no users, and it served nobody."""

    @property
    def marked(self) -> bool:
        return self.states[MARKER_ID].attributes.get("there") is True

    @property
    def running(self) -> bool:
        return self.states[CONTAINER_ID].attributes.get("running") is True

    @property
    def flagged(self) -> bool:
        environment = self.states[CONTAINER_ID].attributes.get("environment", ())
        return isinstance(environment, tuple) and FLAG in environment


@dataclass
class World:
    """Three members, and who is in the Primary component."""

    nodes: dict[str, Node]
    users: set[str] = field(default_factory=set)
    """What is inside the cluster."""
    passwords: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What a user that is not as described says of its passwords."""
    rotating: str = ""
    """The credential whose former value the site knows."""
    births: int = 0
    trail: list[Stage] = field(default_factory=list)

    @classmethod
    def empty(cls) -> World:
        """Return servers on which nothing was ever installed."""
        return cls({host: Node(_states(host, False)) for host in HOSTS})

    @classmethod
    def healthy(cls) -> World:
        """Return a cluster that is as described."""
        everybody = frozenset(HOSTS)
        nodes = {
            host: Node(_states(host, True), HISTORY, 100, everybody, primary=True) for host in HOSTS
        }
        return cls(nodes, set(INSIDE))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Hypothesis shows a failing world by this."""
        del cycle
        printer.text(f"stages {[stage.name for stage in self.trail]}")
        for host, node in self.nodes.items():
            printer.text(f"\n  {host} {node.history[:4]}:{node.number} running={node.running}")
            printer.text(f" primary={node.primary} flagged={node.flagged} view={node.view}")

    def serving(self) -> list[str]:
        return [host for host, node in self.nodes.items() if node.primary]

    def crash(self, *hosts: str) -> None:
        """Kill servers: they forget their position, and remember who was with them."""
        for host in hosts:
            self._leave(host)
        self._lose_quorum(frozenset(hosts))

    def stop(self, *hosts: str) -> None:
        """Stop servers one after the other, as an operator does."""
        for host in hosts:
            self._leave(host)
            self.nodes[host].view = None
            self._remember()

    def _leave(self, host: str) -> None:
        node = self.nodes[host]
        node.primary = False
        old = node.states[CONTAINER_ID]
        node.states[CONTAINER_ID] = replace(old, attributes={**old.attributes, "running": False})

    def _lose_quorum(self, gone: frozenset[str]) -> None:
        left = self.serving()
        if left and len(left) <= len(gone):
            for host in left:
                self.nodes[host].primary = False
        self._remember()

    def _remember(self) -> None:
        for host in self.serving():
            self.nodes[host].view = frozenset(self.serving())

    def form(self) -> None:
        """Do what Galera does by itself, and check that nobody made a second cluster."""
        running = [host for host, node in self.nodes.items() if node.running]
        if not self.serving():
            for host in running:
                view = self.nodes[host].view
                if view is not None and view <= set(running):
                    for member in view:
                        self.nodes[member].primary = True
                    break
        if serving := self.serving():
            newest = max(serving, key=lambda host: self.nodes[host].number)
            for host in running:
                node = self.nodes[host]
                node.settled = node.settled and node.primary
                node.primary = True
                node.history, node.number = self.nodes[newest].history, self.nodes[newest].number
        self._remember()

    def _bootstrap(self, host: str) -> None:
        node = self.nodes[host]
        assert not self.serving(), f"{host} makes a second cluster beside {self.serving()}"
        most = max(other.number for other in self.nodes.values())
        assert node.number == most, f"{host} is bootstrapped with {node.number}, others have {most}"
        self.births += 1
        node.half = False
        node.history, node.number = node.history or HISTORY, max(node.number, 0)
        node.primary = True

    def wait(self) -> None:
        """Let members that are on their way arrive."""
        self.form()
        for node in self.nodes.values():
            node.settled = True

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
        view = View(descriptions(self.rotating), self.snapshot(), chosen, site().digest_key)
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
        if change.identity in INSIDE:
            assert node.primary, f"{change.identity} is written outside the Primary component"
            self.users.add(change.identity)
            self.passwords.pop(change.identity, None)
            if isinstance(change.resource, MysqlUser) and change.resource.former:
                both = {"logs_in": True, "others": ("the former one",)}
                self.passwords[change.identity] = both
            return
        if isinstance(change.resource, StoppedContainer):
            assert not self.serving(), "a serving member is stopped"
            self.stop(change.host)
            return
        if isinstance(change.resource, File) and change.resource.path.endswith(values.MARKER):
            assert not self.serving()
            node.states[MARKER_ID] = State(MARKER_ID, True, {"there": True})
            return
        if change.identity == MARKER_ID:
            assert node.primary, "the mark goes before the node serves"
        if change.disrupts:
            self.stop(change.host)
            assert self.serving(), f"replacing {change.host} ended the cluster"
        node.states = applied(node.states, [change])
        if isinstance(change.resource, Container):
            self._start(change.host, change.resource)

    def _start(self, host: str, container: Container) -> None:
        node = self.nodes[host]
        old = node.states[CONTAINER_ID]
        steady = dict(container.wanted(site().digest_key))
        names = {name for name, _ in container.environment}
        if values.BOOTSTRAP in names:
            told = dict(container.environment)
            assert told[values.EXTRA_FLAGS] == values.NEW_CLUSTER
            if values.FIRST_START in names:
                assert node.marked, "a first start that is not marked"
                others = [n for other, n in self.nodes.items() if other != host]
                assert not any(n.history or n.half for n in others), "a first start beside data"
            else:
                assert node.history, "a recovery of nothing"
                assert not node.half
            steady["environment"] = (FLAG,)
        node.states[CONTAINER_ID] = replace(old, present=True, attributes=steady)
        if values.BOOTSTRAP in names:
            self._bootstrap(host)

    def _seen(self, host: str) -> dict[str, State]:
        """Return the states; what is inside the cluster can only be read where it serves."""
        node = self.nodes[host]
        found = dict(node.states)
        for identity in INSIDE:
            there = identity in self.users
            said = {**found[identity].attributes, **self.passwords.get(identity, {})}
            state = State(identity, there, said if there else {})
            found[identity] = (
                state if node.primary else State(identity, False, problem="nothing answers")
            )
        data = found[DATA_ID]
        found[DATA_ID] = replace(data, attributes={**data.attributes, "cluster": node.history})
        return found

    def _answers(self, host: str) -> dict[str, Answer]:
        node = self.nodes[host]
        names = [*node.volume, *(["data"] if node.history or node.half else [])]
        names += [values.MARKER] if node.marked else []
        inside = ["grastate.dat", "mysql"] if node.history else ["mysql"] if node.half else []
        inside += ["gvwstate.dat"] if node.view is not None else []
        lets_in = all(found["logs_in"] for found in self.passwords.values())
        return {
            LOGIN: Answer(LOGIN, {"denied": "" if lets_in else "Access denied", "rows": {}}),
            "galera.volume": Answer("galera.volume", {"there": True, "names": names}),
            "galera.data": Answer("galera.data", {"there": bool(inside), "names": inside}),
            "galera.node": self._node(node),
            "galera.application": Answer("galera.application", {"denied": "", "rows": {}})
            if node.primary
            else Answer("galera.application", problem="nothing answers"),
            "galera.log": Answer(
                "galera.log", {"restarts": 7, "stdout": "", "stderr": "one\nlast words\n"}
            ),
        }

    def _node(self, node: Node) -> Answer:
        if not node.running or not (node.primary or node.denied):
            return Answer("galera.node", problem="nothing answers on 3306")
        if node.denied:
            return Answer("galera.node", {"denied": node.denied, "rows": {}})
        status = [
            ["wsrep_cluster_status", "Primary"],
            ["Threads_connected", "3"],
            ["wsrep_local_state_comment", "Synced" if node.settled else "Joiner"],
            ["wsrep_ready", "ON" if node.settled else "OFF"],
            ["wsrep_cluster_size", str(len(self.serving()))],
            ["wsrep_cluster_state_uuid", node.history],
            ["wsrep_last_committed", str(node.number)],
            ["wsrep_flow_control_paused", "0.01"],
        ]
        host = next(name for name, other in self.nodes.items() if other is node)
        settled = values.settings(site(), site().server(host))
        variables = [[key, value] for key, value in settled if key in values.LIVE]
        provider = dict(settled)["wsrep_provider_options"].strip('"')
        modes = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO"
        variables += [["wsrep_provider_options", provider], ["sql_mode", modes]]
        return Answer(
            "galera.node",
            {"denied": "", "rows": {STATUS: status, VARIABLES: variables, OPEN_ACCOUNTS: []}},
        )


def _states(host: str, present: bool) -> dict[str, State]:
    """Return the states of a host that is as described, or of a bare one."""
    found: dict[str, State] = {}
    description = descriptions()[host].modules["galera"]
    for resource in (*description.resources, *description.cluster):
        identity = resource.identity
        wanted = dict(resource.wanted(site().digest_key))
        # Nothing contradicts a format where there is no data.
        kept = present or identity in (DATA_ID, MARKER_ID, *INSIDE) or resource.kind == "retired"
        found[identity] = State(identity, kept, wanted if kept else {})
    return found


def roll(world: World, selected: Iterable[str] | None = None, stages: int = 100) -> End:
    """Drive the module's rollout, until nothing is left or something says no."""
    chosen = frozenset(world.nodes if selected is None else selected)
    return drive(
        world,
        MODULE,
        site(),
        descriptions(world.rotating),
        chosen,
        check=lambda stage: _check(stage, chosen),
        stages=stages,
    )


def _check(stage: Stage, selected: frozenset[str]) -> None:
    """Assert what must hold for every stage of every roll."""
    assert len(disrupted(stage)) <= 1, "one running member at a time"
    for change in stage.changes:
        assert change.host in selected or change.identity in INSIDE, f"{change.host} not selected"
