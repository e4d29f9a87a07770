"""Who the master is: asked of those who know, never taken from the inventory while anything is there to ask. Pure.

The order: what a majority of the Sentinels hold, the newest of them too; else what a majority of the Redis nodes do.
One Sentinel that claims a newer epoch decides nothing. A daemon that does not run is asked by what it wrote down. Only
where every member proves that nothing has ever run does the inventory decide: SUBROLE is the role at birth (facts/04).
"""

from __future__ import annotations

from collections import Counter

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.proposed import proposed
from keybuzz.model.inventory.server import Server
from tasks.redis import values
from tasks.redis.members import (
    RUNTIME,
    SENTINEL_RUNTIME,
    RedisMember,
    empty,
    members,
    unborn,
)

Vote = tuple[int, str]
"""An epoch, and the address of the master."""


def master_address(live: Live) -> str | None:
    """Return the master's address, or None when too few are there to tell."""
    if unborn(live):
        return str(birth_master(live).address)
    return _by_sentinels(live) or _by_nodes(live)


def master_host(live: Live) -> str | None:
    """Return the master's host, or None."""
    address = master_address(live)
    return next((s.name for s in live.members if str(s.address) == address), None)


def birth_master(live: Live) -> Server:
    """Return the server that is the first master of a cluster that was never there."""
    born = [server for server in live.members if server.subrole == "master"]
    return (*born, *live.members)[0]


def decided(live: Live, why: str) -> str:
    """Return the master's address, or refuse with the reason for which it is needed."""
    _require_whole_birth(live)
    address = master_address(live)
    if address is None:
        raise RefusedError(
            f"{why}, and who is master cannot be told: fewer than {_majority(live)} of {len(live.members)} "
            "members agree",
            where="redis",
            hint=_way_out(live),
        )
    if address not in {str(server.address) for server in live.members}:
        raise RefusedError(
            f"{why}, and the master is {address}, which is no member in servers.tsv",
            where="redis",
            hint="correct servers.tsv, or fail over to a member first",
        )
    return address


def _way_out(live: Live) -> str:
    """Return how the owner tells who leads: all are there, and hosts that were installed again know it no more."""
    told_nothing = [host for host, view in live.hosts.items() if not view.present(RUNTIME)]
    if len(live.hosts) < len(live.members) or not told_nothing:
        return "bring back the members that are away; kbz never chooses a master among data"
    kept = sorted(live.hosts.keys() - set(told_nothing))
    path = values.redis_runtime().path
    write = f"mkdir -p {path.rpartition('/')[0]}; echo replicaof ADDRESS {values.PORT} >{path}"
    return (
        f"{', '.join(told_nothing)} lost {path}, which says who leads. The owner decides whose data stays: on each "
        f"other member without that file {write}, with its address{_also(kept)}, then kbz run redis. What only the "
        "others hold is lost, so copy it aside first"
    )


def _also(kept: list[str]) -> str:
    """Return what is to be done on members that kept their file: it names who led before."""
    if not kept:
        return ""
    names, stop = ", ".join(kept), proposed("docker", "stop", values.REDIS, values.SENTINEL)
    return f"; on {names}, which has the file, too, after {stop} there, unless it is the one that is to lead"


def _require_whole_birth(live: Live) -> None:
    """A first start needs all members in sight: one that is away may hold the data of an older cluster."""
    everybody = f"a first start needs all {len(live.members)} members"
    if unborn(live) and (left := sorted(set(live.hosts) - live.selected)):
        raise RefusedError(
            f"{everybody}; --limit leaves out {', '.join(left)}",
            where="redis",
            hint="kbz run redis --limit redis",
        )
    absent = sorted({server.name for server in live.members} - set(live.hosts))
    if absent and all(empty(live, host) for host in live.hosts):
        raise RefusedError(
            f"{everybody}; {', '.join(absent)} cannot be read",
            where="redis",
            hint="bring it back, or take it out of servers.tsv",
        )


def _majority(live: Live) -> int:
    return len(live.members) // 2 + 1


def _by_sentinels(live: Live) -> str | None:
    found = members(live)
    votes = [_sentinel_vote(view, found[host]) for host, view in live.hosts.items()]
    cast = [vote for vote in votes if vote[1]]
    if len(cast) < _majority(live):
        return None
    newest = max(epoch for epoch, _ in cast)
    latest = {address for epoch, address in cast if epoch == newest}
    (address, count), *_ = Counter(address for _, address in cast).most_common()
    if count >= _majority(live) and latest == {address}:
        return address
    # The others have not heard of a failover yet, or one Sentinel makes it up: the nodes themselves tell.
    nodes = _by_nodes(live)
    return nodes if nodes in {claimed for _, claimed in cast} else None


def _sentinel_vote(view: HostView, member: RedisMember) -> Vote:
    if member.sentinel.answers:
        return member.sentinel.epoch, member.sentinel.master
    epoch = view.attribute(SENTINEL_RUNTIME, "epoch")
    address = view.attribute(SENTINEL_RUNTIME, "monitors")
    return (epoch if isinstance(epoch, int) else 0), str(address or "")


def _by_nodes(live: Live) -> str | None:
    """Return the one address that a majority follows or is."""
    found = members(live)
    votes = Counter(_node_vote(view, found[host]) for host, view in live.hosts.items())
    votes.pop("", None)
    best = [address for address, count in votes.items() if count >= _majority(live)]
    return best[0] if best else None


def _node_vote(view: HostView, member: RedisMember) -> str:
    if member.redis.role:
        return member.address if member.redis.leads else member.redis.follows
    if member.redis.answers or not view.present(RUNTIME):
        return ""
    return str(view.attribute(RUNTIME, "follows") or member.address)
