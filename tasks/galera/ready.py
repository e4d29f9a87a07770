"""What every gate of the rollout asks: why these nodes do not serve as one cluster yet. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.model.core.live import Live
from tasks.galera.members import Node, cut_off, log, nodes

RECOVER = "kbz recover galera"


def not_synced(live: Live, hosts: Iterable[str], size: int | None = None) -> str | None:
    """Return why not all of these hosts are Synced in one Primary component, of at least that size if it is given."""
    found = nodes(live)
    wanted = list(hosts)
    for host in wanted:
        if host not in found:
            return f"{host} cannot be read: {live.unreachable.get(host, 'was not asked')}"
        if not found[host].synced:
            return not_serving(live, found[host])
    members = [found[host] for host in wanted]
    if len({node.uuid for node in members}) > 1:
        return f"{' and '.join(wanted)} are not in one cluster"
    for node in members:
        if size is not None and node.size < size:
            return f"{node.host} sees {node.size} of {size} members"
    return None


def not_serving(live: Live, node: Node) -> str:
    """Return why one node does not serve, with what its container said last when it is silent."""
    if node.denied:
        return f"{node.host} does not let us in: {node.denied}"
    if not node.present:
        return f"{node.host} has no container"
    if not node.answers:
        said = log(live.hosts[node.host])
        return f"{node.host}: {node.problem}" + (f" ({said})" if said else "")
    state = node.status.get("wsrep_local_state_comment", "unknown")
    component = node.status.get("wsrep_cluster_status", "unknown")
    return f"{node.host} is {state}, its component is {component}"


def exited(live: Live, host: str) -> str | None:
    """Return why a container that Docker starts once can serve no more; None while it runs."""
    node = nodes(live).get(host)
    if node is None or not node.exited:
        return None
    said = log(live.hosts[host])
    again = "; `kbz run galera` begins the first start again" if cut_off(live) else ""
    return (
        f"{host}: its container has ended and is not started again"
        + (f" ({said})" if said else "")
        + again
    )


def no_primary(live: Live) -> str | None:
    """Return why no node is in a Primary component; None when one is."""
    found = nodes(live)
    if any(node.primary for node in found.values()):
        return None
    silent = ", ".join(
        f"{host} {node.status.get('wsrep_cluster_status', 'silent')}"
        for host, node in found.items()
    )
    return f"no node is in a Primary component ({silent}); if that stays so: {RECOVER}"
