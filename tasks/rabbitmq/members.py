"""The live cluster, read from every node: who is in it, who holds what, and whose cluster it is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import Unread, of_hosts
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.together import sides
from tasks.rabbitmq import values

CONTAINER = f"container:{values.CONTAINER}"
COOKIE = f"file:{values.COOKIE}"
DATA = f"rabbitmq-data:{values.DATA}"
_CLOSED = "Connection refused"
"""The system's own words where nothing listens."""


@dataclass(frozen=True, slots=True)
class Node:
    """One host of the cluster, by its own word."""

    host: str
    name: str
    started: bool
    """Its container runs."""
    empty: bool
    """Proven: nothing lies in its data directory but what kbz puts there."""
    held: tuple[str, ...]
    """Nodes whose tables lie in its data directory."""
    formed: tuple[str, ...]
    """Members of its cluster, as its data has them."""
    answers: bool
    problem: str
    denied: bool
    """It does not let our user in: it is fresh, or has another password."""
    members: tuple[str, ...]
    running: frozenset[str]
    partitions: tuple[str, ...]
    alarms: tuple[str, ...]
    critical: tuple[str, ...]
    """Quorum queues that lose their majority when this node stops."""
    users: frozenset[str] | Unread
    queues: int
    lacking: tuple[str, ...]
    apart: frozenset[str]
    """Nodes that it is partitioned from by its own word, also after the network is back."""
    drained: frozenset[str]
    """Nodes that are in maintenance mode, as this one sees them."""
    classic: tuple[str, ...]
    """Durable classic queues with messages."""
    administrators: frozenset[str]
    cluster: str
    version: str
    listeners: tuple[str, ...]

    @property
    def alone(self) -> bool:
        """True when it answers and is in no cluster with others."""
        return self.answers and self.members == (self.name,)

    @property
    def silent(self) -> str:
        """Why it tells nothing of its cluster; empty when it does."""
        denied = "does not let the user of rabbitmq.env in" if self.denied else ""
        return denied if self.answers else self.problem

    @property
    def down(self) -> bool:
        """True when it is proven not to serve: nothing listens there, or it says itself that it is in no cluster.

        One answer that is late proves nothing.
        """
        if self.answers:
            return not self.denied and self.name not in self.running
        return _CLOSED in self.problem

    @property
    def well(self) -> bool:
        """True when it answers and runs in its cluster."""
        return self.answers and self.name in self.running


def told(found: Iterable[Node]) -> list[Node] | Unread:
    """Return the nodes that tell of their cluster: each knows its queues and users; Unread when none does."""
    every = list(found)
    answering = [node for node in every if not node.silent]
    if answering:
        return answering
    mute = of_hosts((node.host, node.silent) for node in every)
    return Unread("no node was asked") if mute is None else mute


def nodes(live: Live) -> dict[str, Node]:
    """Return the reachable hosts by name."""
    return {host: _node(host, view) for host, view in live.hosts.items()}


def up(live: Live) -> frozenset[str]:
    """Return the hosts that count for the quorum: the largest set of running nodes that see each other."""
    return next(iter(together(live)), frozenset())


def together(live: Live) -> tuple[frozenset[str], ...]:
    """Return the running nodes in sets that see each other, the largest first; a partition makes two."""
    found = {host: node for host, node in nodes(live).items() if node.well}
    names = {node.name: host for host, node in found.items()}
    return sides(
        {
            host: {names[n] for n in node.running - node.apart if n in names}
            for host, node in found.items()
        }
    )


def maintained(live: Live) -> frozenset[str]:
    """Return the hosts that are in maintenance mode: such a node answers no client, so that others tell it."""
    found = nodes(live)
    drained = frozenset(name for node in found.values() for name in node.drained)
    return frozenset(host for host, node in found.items() if node.name in drained)


def able(live: Live) -> frozenset[str]:
    """Return the hosts that take clients' messages now."""
    found = nodes(live)
    return frozenset(host for host in up(live) if not found[host].alarms) - maintained(live)


def virgin(live: Live) -> bool:
    """Return whether every member proves that it holds no data and no container (FRZ-1)."""
    found = nodes(live)
    return len(found) == len(live.members) and all(
        node.empty and not node.answers and not live.hosts[host].present(CONTAINER)
        for host, node in found.items()
    )


def home(live: Live) -> str | None:
    """Return a running host of the cluster that all others belong to, or None when it cannot be told.

    A cluster of several is the one. Where all are alone, it is the node that holds queues. Only where every member
    proves that it holds nothing is it the first by name. Raises RefusedError for two clusters, or two with queues.
    """
    found = nodes(live)
    clustered = [node for node in found.values() if node.well and len(node.members) > 1]
    if clustered:
        _require_one(clustered)
        return clustered[0].host
    if len(found) < len(live.members) or any(not n.answers and not n.empty for n in found.values()):
        return None
    holders = [node.host for node in found.values() if node.queues]
    if len(holders) > 1:
        raise RefusedError(
            f"{' and '.join(holders)} hold queues and are in no cluster: one would lose them by joining",
            where="rabbitmq",
            hint="move the queues of all but one away; kbz deletes no data",
        )
    first = holders[0] if holders else live.members[0].name
    return first if found[first].well else None


def _require_one(clustered: list[Node]) -> None:
    others = [node for node in clustered if node.members != clustered[0].members]
    if others:
        raise RefusedError(
            f"{clustered[0].host} and {others[0].host} are in different clusters: "
            f"{', '.join(clustered[0].members)}; {', '.join(others[0].members)}",
            where="rabbitmq",
            hint="the owner decides which one stays; kbz resets no node that is in a cluster",
        )


def writer(live: Live) -> str | None:
    """Return the host on which users are written now."""
    try:
        return home(live)
    except RefusedError:
        return None  # the rollout says why


def _names(view: HostView, attribute: str) -> tuple[str, ...]:
    said = view.attribute(DATA, attribute)
    return tuple(map(str, said)) if isinstance(said, (tuple, list)) else ()


def _node(host: str, view: HostView) -> Node:
    answer, data = view.answer("rabbitmq.node"), view.answer("rabbitmq.data")
    said: Mapping[str, Any] = answer.value if answer.known else {}
    return Node(
        host=host,
        name=values.node_name(view.server),
        started=view.attribute(CONTAINER, "running") is True,
        empty=data.known and not [n for n in data.value["names"] if not n.startswith(".")],
        held=_names(view, "nodes"),
        formed=_names(view, "formed"),
        answers=answer.known,
        problem=answer.problem,
        denied=bool(said.get("denied")),
        members=tuple(said.get("members", ())),
        running=frozenset(said.get("running", ())),
        partitions=tuple(said.get("partitions", ())),
        alarms=tuple(said.get("alarms", ())),
        critical=tuple(said.get("critical", ())),
        # Who asks is one of them: none is no answer.
        users=frozenset(said.get("users", ())) or Unread(answer.problem or "it names no user"),
        queues=said.get("queues", 0),
        lacking=tuple(said.get("lacking", ())),
        apart=frozenset(said.get("apart", ())),
        drained=frozenset(said.get("drained", ())),
        classic=tuple(said.get("classic", ())),
        administrators=frozenset(
            name for name, tags in said.get("users", {}).items() if "administrator" in tags
        ),
        cluster=said.get("cluster_name", ""),
        version=said.get("version", ""),
        listeners=tuple(said.get("listeners", ())),
    )
