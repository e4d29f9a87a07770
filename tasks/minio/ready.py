"""What every gate of the rollout asks: why these nodes do not serve as one cluster yet. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.model.core.live import Live
from tasks.minio.members import Node, last_words, nodes


def not_whole(live: Live, hosts: Iterable[str]) -> str | None:
    """Return why not all of these hosts serve, see each other's drive and have everything; None when they do."""
    found = nodes(live)
    wanted = list(hosts)
    for host in wanted:
        if host not in found:
            return f"{host} cannot be read: {live.unreachable.get(host, 'was not asked')}"
        if reason := not_serving(live, found[host]):
            return reason
    names = [found[host].name for host in wanted]
    for host in wanted:
        node = found[host]
        if away := [name for name in names if not sees(node, name)]:
            return f"{host} sees {', '.join(away)} {node.drives.get(away[0], 'nowhere')}"
        if healing := [name for name in node.healing if name in names]:
            return f"the drive of {', '.join(healing)} is being healed"
    return None


def not_serving(live: Live, node: Node) -> str | None:
    """Return why one node does not take writes, with what its container said last; None when it does."""
    if not node.present:
        return f"{node.host} has no container"
    if node.denied:
        return f"{node.host} does not let the root user of minio.env in"
    if not node.running or not node.live or not node.serves or not node.answers:
        what = "has no write quorum" if node.live else "does not answer"
        said = last_words(live.hosts[node.host])
        return f"{node.host} {what}" + (f" ({said})" if said else "")
    return None


def sees(node: Node, name: str) -> bool:
    """Return whether a node sees another, and its drive, as good."""
    return node.servers.get(name) == "online" and node.drives.get(name) == "ok"


def no_quorum(live: Live) -> str | None:
    """Return why no node has the write quorum; None when one has."""
    found = nodes(live)
    if any(node.serves for node in found.values()):
        return None
    reasons = (not_serving(live, node) for node in found.values())
    return "; ".join(reason for reason in reasons if reason) or "no member can be read"
