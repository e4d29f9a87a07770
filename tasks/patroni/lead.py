"""Who leads, and who could take over: what `kbz switchover patroni` shows and judges. Pure."""

from __future__ import annotations

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.handover import Candidate
from keybuzz.site.module import Switchover
from tasks.patroni.members import (
    PatroniMember,
    hangs,
    held_back,
    leaders,
    members,
    paused,
    silent,
)
from tasks.patroni.rollout import hand_over
from tasks.patroni.values import MAXIMUM_LAG


def leads(live: Live, servers: tuple[Server, ...]) -> str:
    """Return the host that leads; RefusedError when none does, or more than one."""
    del servers
    found = leaders(live)
    if len(found) == 1:
        return found[0]
    what = f"{', '.join(found)} all lead" if found else "no member leads"
    raise RefusedError(
        f"{what}, so that there is nothing to hand over",
        where="patroni",
        hint="kbz health patroni; nothing was changed",
    )


def candidates(live: Live, servers: tuple[Server, ...]) -> tuple[Candidate, ...]:
    """Return all members but the leader, each with why Patroni would not let it lead now."""
    found = members(live)
    return tuple(
        _candidate(live, server.name, found.get(server.name))
        for server in servers
        if server.name not in leaders(live)
    )


def _candidate(live: Live, host: str, member: PatroniMember | None) -> Candidate:
    if member is None:
        return Candidate(host, "no answer", live.unreachable.get(host, "it does not answer"))
    told = [member.state, *([f"{member.lag} bytes behind"] if member.lag is not None else [])]
    priority = member.tags.get("failover_priority")
    told += [f"failover_priority {priority}"] if priority is not None else []
    return Candidate(host, ", ".join(map(str, told)), _unable(live, host, member))


def _unable(live: Live, host: str, member: PatroniMember) -> str:
    """Return why a member cannot take over now; empty when it can."""
    view = live.hosts[host]
    if not member.answers:
        return f"its Patroni does not answer: {silent(view)}"
    if paused(live):
        return "the cluster is in Patroni's maintenance mode"
    if held_back(member):
        return "its tags keep it from leading (nofailover, or failover_priority 0)"
    if member.state != "streaming":
        return f"it is {member.state}, not streaming"
    if member.lag is None:
        return "how far it is behind the leader is not known"
    if not member.near:
        return f"it is {member.lag} bytes behind the leader; {MAXIMUM_LAG} are allowed"
    return "its PostgreSQL takes connections and answers nothing" if hangs(view) else ""


def stage(live: Live, server: Server, to: Server | None) -> Stage:
    """Return the hand-over from the leader to a member, or to the one that Patroni chooses."""
    return hand_over(live, server.name, to.name if to is not None else "")


SWITCHOVER = Switchover(leads, candidates, stage)
