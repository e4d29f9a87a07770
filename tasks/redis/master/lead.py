"""Who is master, and who could take over: what `kbz switchover redis` shows and judges. Pure."""

from __future__ import annotations

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import Unread
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.handover import Candidate
from keybuzz.site.module import Switchover
from tasks.redis.members import RedisMember, masters, members
from tasks.redis.rollout import hand_over


def leads(live: Live, servers: tuple[Server, ...]) -> str:
    """Return the host that is master; RefusedError when none is, or more than one."""
    del servers
    found = masters(live)
    if len(found) == 1:
        return found[0]
    what = f"{', '.join(found)} are all master" if found else "no node is master"
    raise RefusedError(
        f"{what}, so that there is nothing to hand over",
        where="redis",
        hint="kbz health redis; nothing was changed",
    )


def candidates(live: Live, servers: tuple[Server, ...]) -> tuple[Candidate, ...]:
    """Return all nodes but the master, each with why Sentinel would not promote it now."""
    found, leading = members(live), masters(live)
    newest = max((found[host].redis.offset for host in leading), default=0)
    return tuple(
        _candidate(live, server.name, found.get(server.name), newest)
        for server in servers
        if server.name not in leading
    )


def _candidate(live: Live, host: str, member: RedisMember | None, newest: int) -> Candidate:
    if member is None:
        return Candidate(host, "no answer", live.unreachable.get(host, "it does not answer"))
    redis = member.redis
    link = "link up" if redis.link_up else "link down"
    behind = max(0, newest - redis.offset)
    rank = "?" if isinstance(redis.priority, Unread) else redis.priority
    state = f"{redis.role or 'no role'}, {link}, {behind} bytes behind, replica-priority {rank}"
    return Candidate(host, state, _unable(member))


def _unable(member: RedisMember) -> str:
    """Return why a node cannot take over now; empty when it can."""
    redis, sentinel = member.redis, member.sentinel
    if redis.denied or not redis.role:
        return f"it does not say its role: {redis.problem or 'no answer'}"
    if not redis.link_up:
        return "it is not connected to the master"
    if isinstance(redis.priority, Unread):
        return f"its replica-priority is not known: {redis.priority.why}"
    if redis.priority == "0":
        return "its replica-priority is 0: Sentinel never promotes it"
    if redis.refuses:
        return f"it would refuse writes: {redis.refuses}"
    return "" if sentinel.answers else f"its Sentinel does not answer: {sentinel.problem}"


def stage(live: Live, server: Server, to: Server | None) -> Stage:
    """Return the hand-over from the master to a node, or to the one that Sentinel chooses."""
    return hand_over(live, server.name, to)


SWITCHOVER = Switchover(leads, candidates, stage)
