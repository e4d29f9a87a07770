"""The live cluster: what each host proves of itself, and what the API says of the nodes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.proposed import on_host
from tasks.k3s import values

ACTIVE = ("active", "activating", "reloading")


TOKEN_ID = "k3s-token:live"


@dataclass(frozen=True, slots=True)
class Node:
    """What the API says of one node."""

    name: str
    ready: bool
    """By the word of most servers."""
    doubted: bool
    """A server says otherwise of it than most."""
    reason: str
    server: bool
    voter: bool
    """It is a full member of etcd, by the word of most servers."""
    cordoned: bool
    held: str
    """`draining` or `drained` when kbz itself has cordoned it."""
    version: str
    address: str
    flannel: str
    """The address that flannel tells the other nodes."""
    pods: str


@dataclass(frozen=True, slots=True)
class Place:
    """One host, by its own word."""

    host: str
    master: bool
    address: str
    state: str
    """Of its unit, in systemd's words; empty when there is none."""
    bare: bool
    """Proven: it holds nothing of any cluster."""
    foreign: str
    """Why its data is none of ours; empty when it is."""
    by: str
    """How it was started, when that was a step of a first start or a join elsewhere."""
    ready: bool
    """Its API is ready, so that it sees a majority of the servers."""
    problem: str
    authority: str

    @property
    def at_work(self) -> bool:
        """True when its unit runs, or is on its way."""
        return self.state in ACTIVE


def places(live: Live) -> dict[str, Place]:
    """Return the reachable hosts by name."""
    return {host: _place(host, view) for host, view in live.hosts.items()}


def masters(live: Live) -> tuple[str, ...]:
    """Return the names of all masters, reachable or not."""
    return tuple(server.name for server in live.members if values.is_master(server))


def up(live: Live) -> frozenset[str]:
    """Return the masters that count for etcd's majority."""
    return frozenset(host for host, place in places(live).items() if place.ready)


def voters(live: Live) -> frozenset[str]:
    """Return the members whose majority counts: the masters."""
    return frozenset(masters(live))


def virgin(live: Live) -> bool:
    """Return whether every host proves that it holds nothing of a cluster."""
    found = places(live)
    return len(found) == len(live.members) and all(
        place.bare and not place.at_work for place in found.values()
    )


def unproven(live: Live) -> tuple[str, ...]:
    """Return the masters that have not confirmed that the cluster is sealed with the new token that they were told."""
    return tuple(
        host
        for host in masters(live)
        if host in live.hosts and live.hosts[host].attribute(TOKEN_ID, "unproven") is True
    )


def writer(live: Live) -> str | None:
    """Return the master that is asked and told about the cluster: the first that is ready."""
    return min(up(live), default=None)


def kubectl(live: Live, *words: str) -> str:
    """Return the line that asks the cluster on a master: no host has a kubectl of its own, and k3s brings one."""
    return on_host(writer(live) or masters(live)[0], "k3s", "kubectl", *words)


def look(live: Live) -> Mapping[str, Any]:
    """Return what the writer's API says; empty without one."""
    host = writer(live)
    found: Mapping[str, Any] = live.hosts[host].answer("k3s.api").value if host else {}
    return found


def looks(live: Live) -> tuple[Mapping[str, Any], ...]:
    """Return what each API says that is ready, the writer's first."""
    return tuple(live.hosts[host].answer("k3s.api").value for host in sorted(up(live)))


def nodes(live: Live) -> dict[str, Node]:
    """Return the nodes of the cluster by name: as the writer's API knows them, where most servers agree."""
    told = [{item["name"]: item for item in said.get("nodes", ())} for said in looks(live)]
    return {
        name: _node(item, [found.get(name, {}) for found in told]) for name, item in _first(told)
    }


def _first(told: list[dict[str, Mapping[str, Any]]]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    return told[0].items() if told else ()


def _node(item: Mapping[str, Any], told: list[Mapping[str, Any]]) -> Node:
    """Return a node; one server's word about another node counts only where most servers say the same."""
    ready = sum(other.get("ready") == "True" for other in told)
    voter = sum(other.get("voter") is True for other in told)
    agreed = 2 * ready > len(told)
    reason = item["reason"] or item["ready"]
    return Node(
        name=item["name"],
        ready=agreed,
        doubted=0 < ready < len(told),
        reason="the servers do not agree" if not agreed and ready else reason,
        server=item["server"],
        voter=2 * voter > len(told),
        cordoned=item["cordoned"],
        held=item["held"],
        version=item["version"],
        address=item["address"],
        flannel=item["flannel"],
        pods=item["pods"],
    )


def unit_id(view: HostView) -> str:
    """Return the identity of the host's unit."""
    return f"systemd-unit:{values.unit(view.server)}"


def _place(host: str, view: HostView) -> Place:
    master = values.is_master(view.server)
    api = view.answer("k3s.api")
    said: Mapping[str, Any] = api.value if master and api.known else {}
    failed = ", ".join(said.get("failed", ()))
    unit = unit_id(view)
    by = view.attribute(f"k3s-start:{values.unit(view.server)}", "by")
    return Place(
        host=host,
        master=master,
        address=str(view.server.address),
        state=str(view.attribute(unit, "state") or "") if view.present(unit) else "",
        bare=_bare(view, master),
        foreign=_foreign(view) if master else "",
        by=by if isinstance(by, str) else "",
        ready=bool(said.get("ready")),
        problem=api.problem if not said else f"not ready: {failed}" if failed else "",
        authority=said.get("authority", ""),
    )


def _bare(view: HostView, master: bool) -> bool:
    """A master's data is etcd's; a worker's is the password by which the cluster knows it again."""
    if not master:
        node = view.answer("k3s.node")
        return node.known and "password" not in node.value["names"]
    etcd, database = view.answer("k3s.etcd"), view.answer("k3s.database")
    return (
        etcd.known
        and database.known
        and "member" not in etcd.value["names"]
        and "state.db" not in database.value["names"]
    )


def _foreign(view: HostView) -> str:
    database = view.answer("k3s.database")
    if database.known and "state.db" in database.value["names"]:
        return f"{values.DATABASE}/state.db is the data of a single server without etcd"
    return ""


def log(view: HostView) -> str:
    """Return what the unit said last."""
    answer = view.answer("k3s.log")
    text = answer.value["stdout"] if answer.known else ""
    return " / ".join(line.strip() for line in text.strip().splitlines()[-2:])
