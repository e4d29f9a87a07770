"""The live cluster, read from every node: what it says of itself, and what its disk proves. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from keybuzz.model.core.finding import Unread
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.reading import Answer
from keybuzz.model.core.together import sides
from tasks.galera import values
from tasks.galera.desired import STATUS, VARIABLES

CONTAINER_ID = f"container:{values.CONTAINER}"
DATA_ID = f"mariadb-data:{values.VOLUME}"
MARKER_ID = f"absent:{values.VOLUME}/{values.MARKER}"
NO_HISTORY = "00000000-0000-0000-0000-000000000000"
"""Of a node that was interrupted while it got its first copy, or of nodes that began together without a position."""
_FLAGS = (values.BOOTSTRAP, values.FORCE, values.EXTRA_FLAGS)
"""Each can make a new cluster of a node at its next start."""
LISTED = 200
"""Names after which the agent cuts a listing."""
_PERSISTED = ("grastate.dat", "mysql", "ibdata1")
"""What the image, or a server, takes for the data of a database."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Node:
    """One host of the cluster."""

    host: str
    answers: bool
    """It speaks, even if it does not let us in."""
    denied: str
    """Why it does not let us in: another password than the credential store's."""
    problem: str
    status: Mapping[str, str]
    """wsrep_… by its own word; empty when it does not say."""
    mute: str
    """Why it does not say; empty when it does."""
    variables: Mapping[str, str] | Unread
    present: bool
    """There is a container, running or not."""
    running: bool
    flagged: bool
    """Its container has the bootstrap flag: each start of it makes a new cluster."""
    exited: bool
    """Its container has ended, and Docker does not start it again."""
    data: bool
    """Its disk holds a database, whole or not, or could not be read."""
    marked: bool
    """A first start is under way there, or was cut off: nothing was ever written to its data."""
    recoverable: bool
    """It knows who was in the last Primary component, and comes back by itself when they do (pc.recovery)."""
    history: str
    """Id of the cluster whose data its disk holds, by grastate.dat; empty where that names none."""

    @property
    def primary(self) -> bool:
        """True in a Primary component: it belongs to the one cluster that takes writes."""
        return self.status.get("wsrep_cluster_status") == "Primary"

    @property
    def synced(self) -> bool:
        """True when it serves: Synced in a Primary component, and ready."""
        return (
            self.primary
            and self.status.get("wsrep_local_state_comment") == "Synced"
            and self.status.get("wsrep_ready") == "ON"
        )

    @property
    def component(self) -> frozenset[str]:
        """Addresses of the members of its component, as it sees them."""
        told = self.status.get("wsrep_incoming_addresses", "")
        return frozenset(item.partition(":")[0] for item in told.split(",") if item)

    @property
    def writable(self) -> bool:
        """True when a client that is led here can write."""
        # What does not tell its variables may well take writes: it is not kept from its cluster's work.
        variables = {} if isinstance(self.variables, Unread) else self.variables
        return (
            self.synced
            and variables.get("wsrep_on", "ON") == "ON"
            and variables.get("wsrep_desync", "OFF") == "OFF"
            and variables.get("wsrep_reject_queries", "NONE") == "NONE"
            and not any(
                variables.get(name, "OFF") not in ("OFF", "0")
                for name in ("read_only", "super_read_only")
            )
        )

    @property
    def size(self) -> int:
        """Members of its component."""
        return _number(self.status.get("wsrep_cluster_size"))

    @property
    def uuid(self) -> str:
        """Id of the cluster's history."""
        return self.status.get("wsrep_cluster_state_uuid", "")


def nodes(live: Live) -> dict[str, Node]:
    """Return the reachable hosts by name."""
    return {host: _node(host, view) for host, view in live.hosts.items()}


def up(live: Live) -> frozenset[str]:
    """Return the hosts that count for the quorum: the largest set that sees each other.

    One that does not let us in is up all the same: it serves others.
    """
    found = nodes(live)
    largest = next(iter(together(live)), frozenset())
    return largest | {host for host, node in found.items() if node.denied}


def together(live: Live) -> tuple[frozenset[str], ...]:
    """Return the serving nodes in sets that see each other, the largest first; after a split there are two."""
    found = {host: node for host, node in nodes(live).items() if node.synced}
    places = {host: str(live.hosts[host].server.address) for host in found}
    return sides({host: _seen(node, places) for host, node in found.items()})


def _seen(node: Node, places: Mapping[str, str]) -> frozenset[str]:
    """Return the hosts in the component of a node; all of them where it does not tell their addresses."""
    seen = frozenset(host for host, address in places.items() if address in node.component)
    return seen or frozenset(places)


def able(live: Live) -> frozenset[str]:
    """Return the hosts that a client could write to at once; one that does not let us in may be one."""
    return frozenset(host for host, node in nodes(live).items() if node.writable or node.denied)


def unborn(live: Live) -> bool:
    """Return True if every member proves that no cluster was ever born: no data but that of a first start cut off."""
    found = nodes(live)
    return (
        len(found) == len(live.members)
        and len(_marked(found)) <= 1
        and not any(node.primary or (node.data and not node.marked) for node in found.values())
    )


def cut_off(live: Live) -> str | None:
    """Return the host on which a first start was cut off, or is under way; None without one."""
    return next(iter(_marked(nodes(live))), None) if unborn(live) else None


def virgin(live: Live) -> bool:
    """Return True if every member proves that it holds no data and no container but a first start's (FRZ-1)."""
    return unborn(live) and all(
        node.marked or (_empty(live.hosts[host]) and not node.present and not node.answers)
        for host, node in nodes(live).items()
    )


def _marked(found: Mapping[str, Node]) -> list[str]:
    return [host for host, node in found.items() if node.marked]


def writer(live: Live) -> str | None:
    """Return the node on which databases and users are written: the last that serves, as ProxySQL chooses its writer.

    With equal weights that is the highest address (facts/08). So planned work takes it last, and moves it once.
    """
    served = [live.hosts[host].server for host, node in nodes(live).items() if node.synced]
    return max(served, key=lambda server: str(server.address)).name if served else None


def log(view: HostView) -> str:
    """Return how often Docker has restarted the container, and what it said last; empty when it is not known."""
    lines = view.answer("galera.log")
    count = str(lines.value["restarts"]) if lines.known else ""
    said = str(lines.value["stderr"] or lines.value["stdout"]).strip() if lines.known else ""
    last = _COLOUR.sub("", said.splitlines()[-1])[:160] if said else ""
    parts = (f"{count} restarts" if count not in ("", "0") else "", last)
    return "; ".join(part for part in parts if part)


def _empty(view: HostView) -> bool:
    volume = view.answer("galera.volume")
    return volume.known and not set(volume.value["names"]) - {"lost+found"}


def _node(host: str, view: HostView) -> Node:
    answer = view.answer("galera.node")
    value = answer.value if isinstance(answer.value, dict) else {}
    denied = str(value.get("denied", ""))
    data = view.answer("galera.data")
    names = data.value["names"] if data.known else []
    volume = view.answer("galera.volume")
    environment = view.attribute(CONTAINER_ID, "environment")
    added = environment if isinstance(environment, tuple) else ()
    running = view.attribute(CONTAINER_ID, "running")
    present = view.present(CONTAINER_ID)
    once = present and view.attribute(CONTAINER_ID, "restart") == "no"
    status, variables = _pairs(answer, STATUS), _pairs(answer, VARIABLES)
    return Node(
        host=host,
        answers=answer.known,
        denied=denied,
        problem=answer.problem or denied,
        status={} if isinstance(status, Unread) else status,
        mute=status.why if isinstance(status, Unread) else "",
        variables=variables,
        present=present,
        running=running is True,
        flagged=any(item.startswith(_FLAGS) for item in added),
        exited=once and running is False,
        # A listing that was cut proves no absence.
        data=not data.known or len(names) >= LISTED or any(name in names for name in _PERSISTED),
        marked=volume.known and values.MARKER in volume.value["names"],
        recoverable="gvwstate.dat" in names,
        history=_history(view),
    )


def _history(view: HostView) -> str:
    said = view.attribute(DATA_ID, "cluster")
    return said if isinstance(said, str) and said != NO_HISTORY else ""


def rows(answer: Answer, statement: str) -> list[list[str | None]] | Unread:
    """Return what one statement came to; none of it is what is left when it failed."""
    if not answer.known:
        return Unread(answer.problem)
    found: object = answer.value["rows"].get(statement)
    if isinstance(found, list):
        return found
    told = str(found.get("error", "")) if isinstance(found, dict) else ""
    return Unread(told or answer.value["denied"] or "the statement was not answered")


def _pairs(answer: Answer, statement: str) -> Mapping[str, str] | Unread:
    found = rows(answer, statement)
    if isinstance(found, Unread):
        return found
    pairs = {str(row[0]): str(row[1]) for row in found if len(row) >= 2}
    return pairs or Unread("the server names nothing")


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0
