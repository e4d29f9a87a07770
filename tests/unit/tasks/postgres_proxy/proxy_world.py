"""A small world of two entry hosts before one Patroni cluster: it answers as hosts do, and obeys stages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Change, State
from keybuzz.model.core.reading import Answer
from keybuzz.model.core.resource import Value
from keybuzz.model.host.docker import Container
from keybuzz.model.host.files import File
from tasks.postgres_proxy import MODULE
from tests.unit.support.resource_values import applied
from tests.unit.support.site_values import described, memory_site
from tests.unit.tasks.driver import End, drive

HOSTS = ("haproxy-01", "haproxy-02")
MEMBERS = ("db-master-01", "db-slave-01", "db-slave-02")
HAPROXY, PGBOUNCER = "container:haproxy", "container:pgbouncer"
CFG = "file:/opt/keybuzz/haproxy/conf/haproxy.cfg"
INI = "file:/opt/keybuzz/pgbouncer/conf/pgbouncer.ini"
USERS = "file:/opt/keybuzz/pgbouncer/conf/userlist.txt"
BALANCER = "10.0.0.10"
_HEAD = "# pxname,svname,status"


@lru_cache(maxsize=1)
def descriptions() -> dict[str, HostDescription]:
    """Return the description of both hosts."""
    return described(memory_site(), MODULE)


def described_mark() -> str:
    """Return the mark of the described haproxy.cfg."""
    resources = descriptions()["haproxy-01"].modules["postgres-proxy"].resources
    text = next(r.text for r in resources if isinstance(r, File) and r.identity == CFG).reveal()
    found = re.search(r"description (\S+)", text)
    assert found is not None
    return found[1]


@dataclass
class Node:
    """One host, as it is now."""

    states: dict[str, State]
    mark: str = ""
    """Of the configuration that HAProxy runs with."""
    reachable: bool = True
    settled: bool = True
    """False while its checks have not found the primary yet."""
    listens_on: str = "0.0.0.0"
    old_password: bool = False
    """True while PgBouncer knows the password before the described one."""
    old: bool = False
    """True while its HAProxy is of older scripts: it has no runtime socket."""
    refuses: str = ""
    """What a login is answered, when it is not let in."""

    def runs(self, container: str) -> bool:
        state = self.states[container]
        return state.present and state.attributes.get("running") is True


@dataclass
class World:
    """Both hosts, and who is primary behind them."""

    nodes: dict[str, Node]
    primary: str | None = MEMBERS[0]
    balancer: str = ""
    """What the load balancer's address answers; empty: it leads where it should."""
    trail: list[Stage] = field(default_factory=list)

    @classmethod
    def empty(cls) -> World:
        """Return hosts on which nothing was ever installed."""
        return cls({host: Node(_states(host, present=False)) for host in HOSTS})

    @classmethod
    def healthy(cls) -> World:
        """Return hosts that are as described."""
        mark = described_mark()
        return cls({host: Node(_states(host, present=True), mark) for host in HOSTS})

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

    def make_old(self, host: str) -> None:
        """Let the host have what older scripts built: it serves, and says nothing of itself."""
        self.damage(host, HAPROXY, image="sha256:old")
        self.nodes[host].old, self.nodes[host].mark = True, ""

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
            self._consequences(node, change)

    def _consequences(self, node: Node, change: Change) -> None:
        reread = change.identity == CFG and node.runs(HAPROXY)
        if reread or change.identity == HAPROXY:
            node.mark, node.settled = described_mark(), False
        if change.identity == USERS:
            node.old_password = False
        if isinstance(change.resource, Container):
            node.listens_on = "0.0.0.0"
        if change.identity == HAPROXY:
            node.old = False

    def wait(self) -> None:
        """Let checks find the primary."""
        for node in self.nodes.values():
            node.settled = True

    def _answers(self, node: Node) -> dict[str, Answer]:
        found = [
            self._ports(node),
            Answer(
                "postgres-proxy.haproxy.info",
                {"text": f"Name: HAProxy\ndescription: {node.mark}\n"},
            ),
            Answer("postgres-proxy.haproxy.stat", {"text": self._statistics(node)}),
            self._login("postgres-proxy.login.5432", node, node.runs(HAPROXY)),
            self._login(
                "postgres-proxy.login.6432", node, node.runs(HAPROXY) and node.runs(PGBOUNCER)
            ),
            self._through(),
        ]
        for name in MEMBERS:
            status = 200 if name == self.primary else 503
            found.append(Answer(f"postgres-proxy.primary.{name}", {"status": status, "json": None}))
        if node.old or not node.runs(HAPROXY):
            refused = "No such file or directory"
            found[1:3] = [
                Answer(f"postgres-proxy.haproxy.{word}", problem=refused)
                for word in ("info", "stat")
            ]
        return {answer.name: answer for answer in found}

    def _ports(self, node: Node) -> Answer:
        ports = [5432] * node.runs(HAPROXY) + [6432] * node.runs(PGBOUNCER)
        listeners = [f"{node.listens_on}:{port}" for port in ports]
        return Answer(
            "postgres-proxy.ports", {"listeners": listeners, "connections": {"5432": 7, "6432": 2}}
        )

    def _statistics(self, node: Node) -> str:
        rows = [_HEAD, "postgres,FRONTEND,OPEN"]
        for name in MEMBERS:
            up = name == self.primary or not node.settled
            rows.append(f"postgres_primary,{name},{'UP' if up else 'DOWN'}")
        rows.append(f"postgres_primary,BACKEND,{'UP' if self.primary else 'DOWN'}")
        return "\n".join(rows) + "\n"

    def _login(self, name: str, node: Node, there: bool) -> Answer:
        if not there or self.primary is None:
            return Answer(name, problem="Connection refused")
        if node.refuses or (node.old_password and name == "postgres-proxy.login.6432"):
            reason = node.refuses or "password authentication failed"
            return Answer(name, {"accepted": False, "reason": reason})
        return Answer(name, {"accepted": True, "reason": "", "row": ["f", "off"]})

    def _through(self) -> Answer:
        name = f"postgres-proxy.balancer.{BALANCER}"
        if any(node.old_password for node in self.nodes.values() if node.reachable):
            return Answer(name, {"accepted": False, "reason": "password authentication failed"})
        if self.balancer:
            return Answer(name, problem=self.balancer)
        return Answer(name, {"accepted": True, "reason": "", "row": ["f", "off"]})


def _states(host: str, *, present: bool) -> dict[str, State]:
    key = memory_site().digest_key
    resources = descriptions()[host].modules["postgres-proxy"].resources
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
    """Assert what must hold for every stage of every roll, after its gate before has held."""
    touched = {
        change.host
        for change in stage.changes
        if not change.identity.startswith(("directory:", "image:"))
    }
    assert len(touched) <= 1, "one host at a time"
    for host in touched:
        node = world.nodes[host]
        others = [other for name, other in world.nodes.items() if name != host and other.reachable]
        if node.runs(HAPROXY) and node.runs(PGBOUNCER) and world.primary:
            for other in others:
                assert other.settled, "the other host was not proven good first"
                assert other.runs(HAPROXY)
                assert other.runs(PGBOUNCER)
                assert not other.refuses
