"""The node as it is now. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keybuzz.model.core.finding import Unread
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.host.docker import Container
from keybuzz.model.host.login import refusal
from tasks.qdrant import values
from tasks.qdrant.desired import DATA, NODE

CONTAINER_ID = f"container:{values.CONTAINER}"


@dataclass(frozen=True, slots=True)
class Node:
    """One host."""

    host: str
    present: bool
    """There is a container, running or not."""
    running: bool
    version: str | Unread
    ready: bool | Unread
    refused: str
    """Why it does not take the store's key, or did not answer; empty when it takes it."""
    foreign: bool
    """It answers, and has another key than the store's."""
    guarded: bool | Unread
    """It refuses what has no key."""
    collections: int
    described: str
    """The image of the description, by name and tag."""
    empty: bool
    """Proven: nothing lies in its storage."""
    image: str
    """Of its container, as it is; empty without one."""
    owner: int | None
    """User of its storage; None where there is none."""

    @property
    def not_serving(self) -> str:
        """Why it does not serve; empty when it does."""
        if not self.present:
            return "there is no container"
        if isinstance(self.ready, Unread):
            return self.ready.why
        if not self.ready:
            return "not all of its shards are ready"
        return self.refused


def nodes(live: Live) -> dict[str, Node]:
    """Return the reachable hosts by name."""
    return {host: _node(host, view) for host, view in live.hosts.items()}


def up(live: Live) -> frozenset[str]:
    """Return the hosts that serve now."""
    return frozenset(host for host, node in nodes(live).items() if not node.not_serving)


def virgin(live: Live) -> bool:
    """Return whether every member proves that it holds no data and no container."""
    found = nodes(live)
    return len(found) == len(live.members) and all(
        node.empty and not node.present for node in found.values()
    )


def not_serving(live: Live) -> str | None:
    """Return why a selected host does not serve; None when all do."""
    for host, node in nodes(live).items():
        if host in live.selected and node.not_serving:
            return f"{host}: {node.not_serving}"
    return None


def _node(host: str, view: HostView) -> Node:
    answer, listing = view.answer(NODE), view.answer(DATA)
    said: Mapping[str, Any] = answer.value if answer.known else {}
    unread = Unread(answer.problem)
    present = view.present(CONTAINER_ID)
    owner = view.attribute(f"directory:{values.STORAGE}", "owner")
    return Node(
        host=host,
        present=present,
        running=view.attribute(CONTAINER_ID, "running") is True,
        version=said.get("version", unread),
        ready=said.get("ready", unread),
        refused=refusal(answer),
        foreign=said.get("accepted", True) is False,
        guarded=said.get("guarded", unread),
        collections=said.get("collections", 0),
        described=next(r.image for r in view.resources if isinstance(r, Container)),
        empty=listing.known and not listing.value["names"],
        image=str(view.attribute(CONTAINER_ID, "image") or "") if present else "",
        owner=owner if isinstance(owner, int) else None,
    )
