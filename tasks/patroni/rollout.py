"""The next step for the Patroni cluster, from its live state. Pure.

One path for every life of it: first install, new node, stopped node, changed setting, nothing to do (lesson 17).
RAFT needs two of three, so stopped members are started together; running ones are replaced one at a time, replicas
first, the leader last and after a switchover. No stage deletes data.
"""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, HostView, Live, Stage
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.host.docker import Container
from tasks.patroni.checks import not_ready
from tasks.patroni.members import able, leader, members, system_identifier, up
from tasks.patroni.service.resources import (
    BackupRights,
    Database,
    Extension,
    PatroniIdentity,
    PatroniLeader,
    PatroniSettings,
    Role,
)
from tasks.patroni.values import CONTAINER, DATA, RAFT, TTL

START_TIMEOUT = 180.0
"""Seconds: initdb, two base backups, and an election."""
JOIN_TIMEOUT = 120.0 + 2 * TTL
_CONTAINER = f"container:{CONTAINER}"
_CLUSTER = (Role, BackupRights, Database, Extension, PatroniSettings)


def next_stage(live: Live) -> Stage | None:
    """Return the next stage, or None when nothing is left to do."""
    _refuse_foreign(live)
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    containers = [change for change in ready if isinstance(change.resource, Container)]
    inside = [change for change in ready if isinstance(change.resource, _CLUSTER)]
    around = [change for change in ready if change not in containers and change not in inside]
    if around:
        return Stage("prepare", tuple(around))
    if starting := [change for change in containers if not change.disrupts]:
        return _start(live, starting)
    if containers:
        # While no member leads, any member may be the leader that must hand over first.
        besides = containers if leader(live) else []
        return _settle(live, besides) or _roll(live, containers)
    if inside:
        return Stage("roles, database and extensions", tuple(inside), before=_gate_ready(live))
    return _settle(live)


def refuse_known_foreign(live: Live) -> None:
    """Refuse what is known to be another cluster, before any module changes a host; what cannot be read comes later."""
    if not any(
        isinstance(c.resource, PatroniIdentity) and c.action is Action.LATER for c in live.changes()
    ):
        _refuse_foreign(live)


def _refuse_foreign(live: Live) -> None:
    """A cluster that lives under another name, or with newer data, is never overwritten."""
    _refuse_foreign_data(live)
    for change in live.changes():
        if not isinstance(change.resource, PatroniIdentity):
            continue
        if change.action is Action.LATER:
            raise RefusedError(
                f"what lives here cannot be told: {change.reason}",
                where=change.host,
                hint="mend that first; nothing is written over a cluster that is not known",
            )
        found = ", ".join(
            f"{item.attribute} is {item.observed}, described as {item.wanted}"
            for item in change.differences
        )
        raise RefusedError(
            f"the live cluster is not the described one: {found}",
            where=change.host,
            hint=_way_out({item.attribute for item in change.differences}),
        )


def _way_out(differing: set[str]) -> str:
    """Where members look in the store and how they vote is the same on all of them at once: no roll changes it."""
    if differing & {"namespace", "raft_port"}:
        return (
            "nothing was written; a member with another namespace or RAFT port than its partners finds an empty store "
            "and would lead beside them: stop the whole cluster, then change it on all members by hand"
        )
    return "adopt it: put the live values into postgres.env and versions.yaml, then kbz plan"


def _refuse_foreign_data(live: Live) -> None:
    """A kept volume with the data or the votes of another cluster is neither joined nor overwritten."""
    here = system_identifier(live)
    for host in sorted(live.selected & set(live.hosts)):
        if _old_votes(live.hosts[host]):
            raise RefusedError(
                f"{RAFT} holds the RAFT log of an earlier life, and there is neither data nor a container: "
                "which cluster it voted in cannot be told",
                where=host,
                hint=f"nothing was written; keep what {RAFT} holds elsewhere and empty it, then kbz run patroni",
            )
        found = live.hosts[host].attribute("patroni-identity:cluster", "system")
        if here and found and found != here:
            raise RefusedError(
                f"its data is of another cluster: system identifier {found}, the leader has {here}",
                where=host,
                hint=f"nothing was written; keep what {DATA} holds elsewhere and empty it, then kbz run patroni",
            )


def _old_votes(view: HostView) -> bool:
    votes = view.answer("patroni.raft")
    left = votes.known and bool(votes.value["names"])
    return left and not _holds_data(view) and not view.present(_CONTAINER)


def _start(live: Live, starting: list[Change]) -> Stage:
    before = None
    if not up(live):
        starting = _cold_start(live, starting)
    elif any(_holds_data(live.hosts[host]) for host in up(live)):
        held = [change for change in starting if _holds_data(live.hosts[change.host])]
        # An empty member is a new one: it joins a cluster that is well, and is never part of what founds it.
        before = None if held else _gate_well(live)
        starting = held or starting
    hosts = [change.host for change in starting]
    return Stage(
        "start together" if len(hosts) > 1 else "start",
        tuple(starting),
        before=before,
        after=Gate(
            "one leader, all others streaming",
            lambda now: not_ready(now, [*hosts, *sorted(up(live))]),
            START_TIMEOUT,
        ),
    )


def _gate_well(live: Live) -> Gate:
    running = sorted(up(live))
    return Gate(
        f"{', '.join(running)} are well, to be joined",
        lambda now: not_ready(now, running),
        JOIN_TIMEOUT,
    )


def _cold_start(live: Live, starting: list[Change]) -> list[Change]:
    """Return who may start when no member is up: members with data before empty ones.

    Two empty members are a majority of RAFT and would found a second cluster beside the data of the third.
    """
    holders = frozenset(host for host, view in live.hosts.items() if _holds_data(view))
    if not holders:
        _refuse_partial_birth(live)
        return starting
    first = [change for change in starting if change.host in holders]
    able = {change.host for change in first} | (holders & _started(live))
    if len(able) <= len(live.members) // 2:
        raise RefusedError(
            f"no member is up, and {', '.join(sorted(holders))} of {len(live.members)} members "
            "have data: too few of them can start for a majority, and empty ones must not start first",
            where="patroni",
            hint="bring back the members with data (all of them in --limit); no empty one replaces them",
        )
    return first or starting


def _holds_data(view: HostView) -> bool:
    """A listing that could not be made counts as data: emptiness is proven, never assumed."""
    answer = view.answer("patroni.data")
    return not answer.known or bool(answer.value["names"])


def _started(live: Live) -> frozenset[str]:
    views = live.hosts.items()
    return frozenset(host for host, view in views if view.attribute(_CONTAINER, "running"))


def _refuse_partial_birth(live: Live) -> None:
    """A first start needs all members in sight: one that is away may hold the data of an older cluster."""
    absent = sorted({server.name for server in live.members} - set(live.hosts))
    if absent:
        raise RefusedError(
            f"a first start needs all {len(live.members)} members; {', '.join(absent)} cannot be read",
            where="patroni",
            hint="bring it back, or take it out of servers.tsv",
        )
    left_out = sorted(set(live.hosts) - live.selected)
    if left_out:
        raise RefusedError(
            f"a first start needs all {len(live.members)} members; --limit leaves out {', '.join(left_out)}",
            where="patroni",
            hint="kbz run patroni --limit db",
        )


def _roll(live: Live, containers: list[Change]) -> Stage:
    """Replace one running member: a replica if any is left, else the leader after a switchover.

    A broken replica comes first, because it has nothing to lose.
    """
    now_leading = leader(live)
    replicas = [change for change in containers if change.host != now_leading]
    members = [server.name for server in live.members if server.name in live.hosts]
    after = Gate("the member is back", lambda now: not_ready(now, members), JOIN_TIMEOUT)
    if replicas:
        change = min(replicas, key=lambda change: not_ready(live, [change.host]) is None)
        return Stage(
            f"replace {change.host}",
            (change,),
            # The others must be well; this one may be what the change mends.
            before=_gate_ready(live, besides=change.host),
            after=after,
        )
    if len(live.hosts) == 1:
        return Stage(f"replace {containers[0].host}", (containers[0],), after=after)
    return hand_over(live, containers[0].host)


def release(live: Live, host: str) -> Stage | None:
    """Return the hand over that a leader's host needs before another module interrupts it."""
    return hand_over(live, host) if leader(live) == host and len(live.hosts) > 1 else None


def hand_over(live: Live, host: str, to: str = "") -> Stage:
    """Return the stage after which this host leads no more, but another, or the one that is named.

    Patroni knows nothing of a host in maintenance: where it could choose one, another is named.
    """
    to = to or _awake(live, able(live) - {host})

    def reason(now: Live) -> str | None:
        found = leader(now)
        if found in (None, host):
            return "no new leader yet"
        return f"{found} leads instead of {to}" if to and found != to else None

    return Stage(
        f"hand over from {host}{f' to {to}' if to else ''}",
        (_switchover(live, host, to),),
        heirs=(to,) if to else tuple(sorted(able(live) - {host})),
        before=_gate_ready(live),
        after=Gate(f"{to or 'another member'} leads", reason, JOIN_TIMEOUT),
    )


def _awake(live: Live, heirs: frozenset[str]) -> str:
    """Return the one to name, the nearest to the leader; empty where Patroni may choose any, or none is awake."""
    awake = set(live.awake(heirs))
    if awake == heirs:
        return ""
    found = members(live)
    return min(awake, key=lambda name: (found[name].lag or 0, name))


def _settle(live: Live, besides: Iterable[Change] = ()) -> Stage | None:
    """Wait for members that are on their way: a run that was cut off, or Docker that has just come back.

    A member that is to be replaced is not waited for: it may be what the change mends.
    """
    started = sorted(_started(live) - {change.host for change in besides})
    if not live.selected & set(started) or not_ready(live, started) is None:
        return None
    settled = Gate("the cluster has settled", lambda now: not_ready(now, started), START_TIMEOUT)
    return Stage("wait", (), after=settled)


def _switchover(live: Live, host: str, to: str) -> Change:
    resources = live.hosts[host].resources
    settings = next(item for item in resources if isinstance(item, PatroniSettings))
    return Change(
        host,
        live.module,
        PatroniLeader(settings.url, host, settings.username, settings.password, to),
        Action.UPDATE,
        (Difference("leads", True, False),),
        disrupts=False,
    )


def _gate_ready(live: Live, besides: str = "") -> Gate:
    members = [s.name for s in live.members if s.name in live.hosts and s.name != besides]
    name = f"all but {besides} are well" if besides else "the cluster is whole"
    return Gate(name, lambda now: not_ready(now, members), JOIN_TIMEOUT)
