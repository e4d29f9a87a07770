"""The live cluster, read from Patroni's REST answers: who leads, who follows, how far behind. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keybuzz.model.core.finding import Unread, of_hosts
from keybuzz.model.core.live import HostView, Live
from tasks.patroni.values import MAXIMUM_LAG

_LEADING = frozenset({"master", "primary", "leader", "standby_leader"})
"""Patroni 3 says master, from 4.0 it says primary (facts/03)."""


@dataclass(frozen=True, slots=True)
class PatroniMember:
    """One node as it tells of itself, and as most nodes see it."""

    host: str
    answers: bool
    """Its Patroni answers: so it votes in RAFT, whatever PostgreSQL does."""
    running: bool
    leads: bool
    state: str
    """`running` for a leader, `streaming` for a good replica, else Patroni's own word."""
    timeline: int | None
    lag: int | None
    """Bytes behind the leader; None when it is not known."""
    version: str
    scope: str
    pending_restart: bool
    paused: bool
    """Patroni's maintenance mode: no member takes over when the leader is lost."""
    tags: Mapping[str, Any]
    """What its own configuration keeps it from, such as nofailover; empty in health."""

    @property
    def near(self) -> bool:
        """True when it is not further behind the leader than a promotion allows."""
        return self.lag is not None and self.lag <= MAXIMUM_LAG


def members(live: Live) -> dict[str, PatroniMember]:
    """Return the reachable nodes by name."""
    views = [found for view in live.hosts.values() if (found := _cluster_seen_by(view))]
    return {host: _member(host, view, views) for host, view in live.hosts.items()}


def leaders(live: Live) -> tuple[str, ...]:
    """Return every node that says of itself that it leads: in health exactly one."""
    return tuple(host for host, member in members(live).items() if member.leads)


def leader(live: Live) -> str | None:
    """Return the leader when exactly one node leads."""
    found = leaders(live)
    return found[0] if len(found) == 1 else None


def up(live: Live) -> frozenset[str]:
    """Return the nodes that count for the quorum: RAFT's voters are the Patroni processes."""
    return frozenset(host for host, member in members(live).items() if member.answers)


def paused(live: Live) -> bool:
    """Return whether any member says that the cluster is in maintenance mode."""
    return any(member.paused for member in members(live).values())


def able(live: Live) -> frozenset[str]:
    """Return the nodes that lead, or that Patroni would promote at once if the leader were lost now."""
    found = members(live)
    leading = frozenset(host for host, member in found.items() if member.leads)
    if paused(live):
        return leading
    return leading | {
        host
        for host, member in found.items()
        if member.state == "streaming"
        and member.near
        and not held_back(member)
        and not hangs(live.hosts[host])
    }


def hangs(view: HostView) -> bool:
    """Return whether a node's PostgreSQL takes connections and answers nothing, whatever Patroni remembers of it."""
    server = postgres(view)
    return isinstance(server, Unread) and HANGS in server.why


def held_back(member: PatroniMember) -> bool:
    """Return whether a member's tags keep it from ever leading."""
    return bool(member.tags.get("nofailover")) or member.tags.get("failover_priority") == 0


@dataclass(frozen=True, slots=True)
class Postgres:
    """What a node's PostgreSQL says of itself, whatever Patroni says."""

    writes: bool
    settings: str
    """Of ALTER SYSTEM; empty without any."""
    slots: str
    """Inactive ones, with the bytes of WAL that they keep."""
    superusers: str
    replay_paused: bool
    """WAL comes in, and what it says is not carried out: readers see an old state."""
    of_roles: str
    """Settings of roles and databases; empty without any."""
    doors: str
    """The network that may come in, and below it the lines of pg_hba.conf that let in from other hosts."""
    timeline: int | None
    """Written or received now: a replica's Patroni goes on naming the one before a promotion for up to 20 s."""
    room: str
    """Sessions of clients, the most that there may be, and the age of the oldest row in transactions."""


HANGS = "did not come in time"
"""What a login says where PostgreSQL takes connections and answers nothing."""
UNPROTECTED = "the server did not ask for a password"
"""What a login says that pg_hba.conf lets in as it is."""


def postgres(view: HostView) -> Postgres | Unread:
    """Return what a node's PostgreSQL says of itself (desired.SERVER)."""
    answer = view.answer("patroni.server")
    if not answer.known:
        return Unread(answer.problem)
    row = answer.value.get("row")
    if not answer.value["accepted"] or not isinstance(row, list) or len(row) != 9:
        return Unread(answer.value["reason"] or "PostgreSQL answered no row")
    recovery, settings, slots, superusers, replay, of_roles, doors, timeline, room = row
    return Postgres(
        writes=recovery == "false",
        settings=settings,
        slots=slots,
        superusers=superusers,
        replay_paused=replay == "true",
        of_roles=of_roles,
        doors=doors,
        timeline=int(timeline) if timeline.isdecimal() else None,
        room=room,
    )


def unasked(live: Live) -> Unread | None:
    """Return which reachable nodes' Patroni does not say how it is; None when all do."""
    return of_hosts((host, why) for host, view in live.hosts.items() if (why := silent(view)))


def silent(view: HostView) -> str:
    """Return why a node's Patroni does not say how it is; empty when it does."""
    mute = "" if _self(view) else "what answers there is not Patroni"
    return view.answer("patroni.self").problem or mute


def undescribed(live: Live, described: frozenset[str]) -> tuple[str, ...] | Unread:
    """Return the keys of Patroni's store that no description names, each with its value; any one node tells them."""
    for view in live.hosts.values():
        answer = view.answer("patroni.config")
        document = _mapping(answer.value["json"]) if answer.known else {}
        if document:
            found = _flat(document, "")
            return tuple(
                f"{path} = {value}" for path, value in found.items() if path not in described
            )
    problems = (view.answer("patroni.config").problem for view in live.hosts.values())
    return Unread(next((why for why in problems if why), "no member tells Patroni's settings"))


def _flat(document: Mapping[str, Any], prefix: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in sorted(document.items()):
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{path}.")
        elif value is not None and path != "pause":
            found[path] = json.dumps(value)
    return found


def virgin(live: Live) -> bool:
    """Return whether no node has data: proven by a listing from every member, never assumed."""
    answers = [view.answer("patroni.data") for view in live.hosts.values()]
    complete = len(live.hosts) == len(live.members)
    return complete and all(answer.known and not answer.value["names"] for answer in answers)


def system_identifier(live: Live) -> str:
    """Return which cluster the leader's data belongs to, in PostgreSQL's own number; empty when no member leads."""
    holder = leader(live)
    return str(_self(live.hosts[holder]).get("database_system_identifier", "")) if holder else ""


def cluster_told(view: HostView) -> bool:
    """Return whether a node's Patroni says who its members are."""
    return bool(_cluster_seen_by(view))


def scheduled(live: Live) -> str:
    """Return when a switchover was told to begin, and from whom; empty without one."""
    for view in live.hosts.values():
        answer = view.answer("patroni.cluster")
        found = _mapping(answer.value["json"]).get("scheduled_switchover") if answer.known else None
        if planned := _mapping(found):
            return f"{_text(planned.get('at'))} from {_text(planned.get('from')) or 'any'}"
    return ""


def _self(view: HostView) -> Mapping[str, Any]:
    answer = view.answer("patroni.self")
    return _mapping(answer.value["json"]) if answer.known else {}


def _mapping(found: object) -> Mapping[str, Any]:
    """Return a JSON object, or an empty one: something else may answer on that port."""
    return found if isinstance(found, dict) else {}


def _cluster_seen_by(view: HostView) -> dict[str, Mapping[str, Any]]:
    """Return what one node says of all members, by name."""
    answer = view.answer("patroni.cluster")
    listed = _mapping(answer.value["json"]).get("members") if answer.known else None
    found = [_mapping(item) for item in listed] if isinstance(listed, list) else []
    return {_text(item.get("name")): item for item in found}


def _agreed_state(seen: list[Mapping[str, Any]], views: int) -> str:
    """Return the state that more than half of the nodes see a member in: the leader's word alone opens no gate."""
    words = Counter(_text(item.get("state")) for item in seen)
    state, count = words.most_common(1)[0] if words else ("", 0)
    return state if 2 * count > views else ""


def _agreed_lag(seen: list[Mapping[str, Any]], views: int) -> int | None:
    """Return the lag that more than half of the nodes would not put higher; None when too few know one."""
    lags = sorted(lag for item in seen if (lag := _number(item.get("lag"))) is not None)
    return lags[views // 2] if 2 * len(lags) > views else None


def _member(host: str, view: HostView, views: list[dict[str, Mapping[str, Any]]]) -> PatroniMember:
    own = _self(view)
    running = own.get("state") == "running"
    leads = running and _text(own.get("role")) in _LEADING
    # The others go on calling a dead member "streaming" for a ttl: only who runs itself is asked about.
    seen = [found[host] for found in views if host in found] if running else []
    state = _agreed_state(seen, len(views)) or _text(own.get("state")) or "no answer"
    return PatroniMember(
        host=host,
        answers=bool(own),
        running=running,
        leads=leads,
        state="running" if leads else state,
        timeline=_timeline(view, own, seen),
        lag=0 if leads else _agreed_lag(seen, len(views)),
        version=_version(own.get("server_version")),
        scope=_text(_mapping(own.get("patroni")).get("scope")),
        pending_restart=bool(own.get("pending_restart")),
        paused=own.get("pause") is True,
        tags=_mapping(own.get("tags")),
    )


def _timeline(view: HostView, own: Mapping[str, Any], seen: list[Mapping[str, Any]]) -> int | None:
    """Return what PostgreSQL itself says; where it does not, what its Patroni remembers, then what the others do."""
    server = postgres(view)
    if isinstance(server, Postgres) and server.timeline is not None:
        return server.timeline
    return next(
        (number for item in (own, *seen) if (number := _number(item.get("timeline")))), None
    )


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""


def _number(found: object) -> int | None:
    return found if type(found) is int else None


def _version(number: object) -> str:
    return f"{number // 10000}.{number % 10000}" if isinstance(number, int) else ""
