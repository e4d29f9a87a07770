"""The live cluster, read from Patroni's REST answers: who leads, who follows, how far behind. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keybuzz.model.core.live import HostView, Live

_LEADING = frozenset({"master", "primary", "leader", "standby_leader"})
"""Patroni 3 says master, from 4.0 it says primary (facts/03)."""


@dataclass(frozen=True, slots=True)
class PatroniMember:
    """One node as it tells of itself, and as the leader sees it."""

    host: str
    answers: bool
    """Its Patroni answers: so it votes in RAFT, whatever PostgreSQL does."""
    running: bool
    leads: bool
    state: str
    """`running` for a leader, `streaming` for a good replica, else Patroni's own word."""
    timeline: int | None
    lag: int | None
    """Bytes behind the leader; None when nobody knows."""
    version: str
    scope: str
    pending_restart: bool


def members(live: Live) -> dict[str, PatroniMember]:
    """Return the reachable nodes by name."""
    seen = _as_the_leader_sees(live)
    return {host: _member(host, view, seen.get(host, {})) for host, view in live.hosts.items()}


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


def virgin(live: Live) -> bool:
    """Say whether no node has data: proven by a listing from every member, never assumed."""
    answers = [view.answer("patroni.data") for view in live.hosts.values()]
    complete = len(live.hosts) == len(live.members)
    return complete and all(answer.known and not answer.value["names"] for answer in answers)


def system_identifier(live: Live) -> str:
    """Return which cluster the leader's data belongs to, in PostgreSQL's own number; empty when nobody leads."""
    holder = leader(live)
    return str(_self(live.hosts[holder]).get("database_system_identifier", "")) if holder else ""


def _self(view: HostView) -> Mapping[str, Any]:
    answer = view.answer("patroni.self")
    return _mapping(answer.value["json"]) if answer.known else {}


def _mapping(found: object) -> Mapping[str, Any]:
    """Return a JSON object, or an empty one: something else may answer on that port."""
    return found if isinstance(found, dict) else {}


def _as_the_leader_sees(live: Live) -> dict[str, Mapping[str, Any]]:
    for view in live.hosts.values():
        if _self(view).get("role") not in _LEADING:
            continue
        answer = view.answer("patroni.cluster")
        listed = _mapping(answer.value["json"]).get("members") if answer.known else None
        if isinstance(listed, list):
            return {str(_mapping(member).get("name")): _mapping(member) for member in listed}
    return {}


def _member(host: str, view: HostView, seen: Mapping[str, Any]) -> PatroniMember:
    own = _self(view)
    running = own.get("state") == "running"
    leads = own.get("role") in _LEADING and running
    # The leader goes on calling a dead member "streaming" for a ttl: only who runs itself is asked about.
    state = str((running and seen.get("state")) or own.get("state") or "no answer")
    lag = seen.get("lag") if running else None
    return PatroniMember(
        host=host,
        answers=bool(own),
        running=running,
        leads=leads,
        state="running" if leads else state,
        timeline=own.get("timeline") or seen.get("timeline"),
        lag=0 if leads else lag if isinstance(lag, int) else None,
        version=_version(own.get("server_version")),
        scope=str(_mapping(own.get("patroni")).get("scope", "")),
        pending_restart=bool(own.get("pending_restart")),
    )


def _version(number: object) -> str:
    return f"{number // 10000}.{number % 10000}" if isinstance(number, int) else ""
