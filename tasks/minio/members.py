"""The live cluster, read from every node: what it says of the others, and what its drive proves. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keybuzz.model.core.live import HostView, Live
from keybuzz.model.host.docker import Container
from tasks.minio import values

CONTAINER_ID = f"container:{values.CONTAINER}"
DRIVE_ID = f"minio-drive:{values.DATA}"


@dataclass(frozen=True, slots=True)
class Node:
    """One host of the cluster."""

    host: str
    name: str
    """host:port, as MinIO names it."""
    present: bool
    """There is a container, running or not."""
    running: bool
    command: tuple[str, ...]
    image: str
    live: bool
    serves: bool
    """It has the write quorum, by its own word."""
    answers: bool
    """It speaks, even if it does not let us in."""
    denied: bool
    problem: str
    servers: Mapping[str, str]
    """host:port to state, as it sees them."""
    drives: Mapping[str, str]
    healing: tuple[str, ...]
    """Nodes whose drive has not got everything yet."""
    sets: tuple[int, ...]
    parity: int
    """Drives of the set that may be lost without a loss of data, for new objects."""
    version: str
    frozen: bool
    """Requests of S3 are held back by `mc admin service freeze`."""
    slow: bool
    """Requests of S3 are not answered in time, and no freeze holds them back: it is overloaded."""
    empty: bool
    """Proven: nothing lies on its drive."""
    deployment: str
    """Of its drive's format.json; empty without one."""
    place: int
    """Of its drive in the set, from 1."""
    size: int
    """Drives in that set."""

    @property
    def silent(self) -> str:
        """Why it tells nothing of the cluster; empty when it does."""
        return self.problem or ("does not let the root user of minio.env in" if self.denied else "")

    @property
    def formatted(self) -> bool:
        """True when its drive belongs to a cluster."""
        return bool(self.deployment)


def nodes(live: Live) -> dict[str, Node]:
    """Return the reachable hosts by name."""
    return {host: _node(host, view) for host, view in live.hosts.items()}


def up(live: Live) -> frozenset[str]:
    """Return the hosts that count for the quorum. One that does not let us in is up all the same: it serves others."""
    return frozenset(host for host, node in nodes(live).items() if node.serves)


def able(live: Live) -> frozenset[str]:
    """Return the hosts that take writes now: none while the service is frozen, and none that answers no request."""
    found = nodes(live)
    return frozenset() if frozen(found) else up(live) - slow(found)


def slow(found: Mapping[str, Node]) -> frozenset[str]:
    """Return the hosts that serve and are overloaded."""
    return frozenset(host for host, node in found.items() if node.serves and node.slow)


def frozen(found: Mapping[str, Node]) -> bool:
    """Return whether `mc admin service freeze` is on for all that serve; one restarted since is not frozen."""
    serving = [node for node in found.values() if node.serves]
    return bool(serving) and all(node.frozen for node in serving)


def serving(live: Live) -> bool:
    """Return whether any node has the write quorum."""
    return bool(up(live))


def virgin(live: Live) -> bool:
    """Return whether every member proves that it holds no data and no container (FRZ-1)."""
    found = nodes(live)
    return len(found) == len(live.members) and all(
        node.empty and not node.present and not node.live for node in found.values()
    )


def entry(live: Live) -> str:
    """Return the host that clients reach (MIN-5)."""
    names = [server.name for server in live.members]
    return values.ENTRY if values.ENTRY in names else names[0]


def writer(live: Live) -> str | None:
    """Return the node on which the bucket is made: the official entry, while it serves, and no other."""
    host = entry(live)
    node = nodes(live).get(host)
    return host if node is not None and node.serves else None


def described(live: Live, host: str) -> Container:
    """Return the described container of a host."""
    resources = live.hosts[host].resources
    return next(item for item in resources if isinstance(item, Container))


def last_words(view: HostView) -> str:
    """Return what the container said last; empty when it is not known."""
    lines = view.answer("minio.log")
    said = str(lines.value["stderr"] or lines.value["stdout"]).strip() if lines.known else ""
    return said.splitlines()[-1][:200] if said else ""


def _node(host: str, view: HostView) -> Node:
    answer = view.answer("minio.node")
    said: Mapping[str, Any] = answer.value if answer.known else {}
    command = view.attribute(CONTAINER_ID, "command")
    drive = view.states.get(DRIVE_ID)
    known = drive is not None and not drive.problem
    deployment = str(view.attribute(DRIVE_ID, "deployment") or "")
    place, size = view.attribute(DRIVE_ID, "place"), view.attribute(DRIVE_ID, "size")
    return Node(
        host=host,
        name=values.node_of(view.server),
        present=view.present(CONTAINER_ID),
        running=view.attribute(CONTAINER_ID, "running") is True,
        command=command if isinstance(command, tuple) else (),
        image=str(view.attribute(CONTAINER_ID, "image") or ""),
        live=_good(view, "minio.live"),
        serves=_good(view, "minio.cluster"),
        answers=answer.known,
        denied=bool(said.get("denied")),
        problem=answer.problem,
        servers=said.get("servers", {}),
        drives=said.get("drives", {}),
        healing=tuple(said.get("healing", ())),
        sets=tuple(said.get("sets", ())),
        parity=said.get("parity", 0),
        version=said.get("version", ""),
        frozen=said.get("frozen", False),
        slow=said.get("slow", False),
        empty=known and view.attribute(DRIVE_ID, "found") == "empty",
        deployment=deployment,
        place=place if isinstance(place, int) else 0,
        size=size if isinstance(size, int) else 0,
    )


def _good(view: HostView, name: str) -> bool:
    answer = view.answer(name)
    return answer.known and answer.value["status"] == 200
