"""Health of the Patroni cluster; the same functions are the gates of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.model.core.finding import Finding, Level, of_hosts, unknown
from keybuzz.model.core.live import Live, Member, Topology
from keybuzz.model.core.proposed import on_host
from tasks.patroni.by_hand import switches
from tasks.patroni.members import PatroniMember, leader, leaders, members, unasked


def checks(live: Live) -> tuple[Finding, ...]:
    """Return a finding for every check on every member, good ones too."""
    return (
        *(_reachable(live, server.name) for server in live.members),
        _single_leader(live),
        *(finding for member in members(live).values() for finding in _member(member, live)),
        _same_timeline(live),
        _same_image(live),
        *switches.checks(live),
    )


def not_ready(live: Live, hosts: Iterable[str]) -> str | None:
    """Return why these nodes are not one leader and streaming replicas yet, or None when they are."""
    found = members(live)
    if len(leaders(live)) != 1:
        return f"{len(leaders(live))} leaders ({_states(found.values())})"
    for host in hosts:
        member = found.get(host)
        if member is None:
            return f"{host} does not answer"
        if not (member.leads or (member.state == "streaming" and member.near)):
            return f"{host} is {member.state}, lag {_lag(member)}"
    return None


def topology(live: Live) -> Topology:
    """Return who leads and who follows, for people."""
    found = members(live)
    vector = _vector(live)
    lines = tuple(
        Member(
            member.host,
            "leader" if member.leads else "replica",
            member.state,
            (
                ("lag", _lag(member)),
                ("timeline", str(member.timeline or "?")),
                ("PostgreSQL", member.version or "?"),
                ("pgvector", vector),
            ),
        )
        for member in found.values()
    )
    missing = tuple(
        Member(host, "?", "unreachable") for host in live.unreachable if host not in found
    )
    scope = next((member.scope for member in found.values() if member.scope), "patroni")
    return Topology(scope, (*lines, *missing))


def _vector(live: Live) -> str:
    holder = leader(live)
    if holder is None:
        return "?"
    for identity, state in live.hosts[holder].states.items():
        if identity.startswith("postgres-extension:") and identity.endswith("/vector"):
            return str(state.attributes.get("version", "absent"))
    return "?"


def _reachable(live: Live, host: str) -> Finding:
    if host in live.unreachable:
        return Finding("patroni.member.reachable", Level.UNKNOWN, live.unreachable[host], host)
    if host not in live.hosts:
        return Finding("patroni.member.reachable", Level.UNKNOWN, "was not asked", host)
    return Finding("patroni.member.reachable", Level.OK, "answers", host)


def _single_leader(live: Live) -> Finding:
    found = leaders(live)
    if len(found) == 1:
        if (away := unasked(live)) is not None:
            return unknown("patroni.leader.single", f"{found[0]} leads; {away.why}")
        return Finding("patroni.leader.single", Level.OK, f"{found[0]} leads")
    who = ", ".join(found) if found else "no member"
    return Finding(
        "patroni.leader.single",
        Level.CRITICAL,
        f"{who} leads ({_states(members(live).values())})",
        hint="kbz run patroni starts stopped members together; it never deletes data",
    )


def _member(member: PatroniMember, live: Live) -> list[Finding]:
    host = member.host
    findings: list[Finding] = []
    if member.leads:
        findings.append(Finding("patroni.member.state", Level.OK, "leads", host))
    elif member.state == "streaming" and member.near:
        findings.append(
            Finding("patroni.member.state", Level.OK, f"streams, lag {_lag(member)}", host)
        )
    else:
        level = Level.WARN if member.state == "streaming" else Level.CRITICAL
        findings.append(
            Finding(
                "patroni.member.state",
                level,
                f"is {member.state}, lag {_lag(member)}",
                host,
                on_host(host, "docker", "logs", "--tail", "20", "patroni"),
            )
        )
    if member.pending_restart:
        findings.append(
            Finding(
                "patroni.restart.pending",
                Level.WARN,
                "a changed setting waits for a restart",
                host,
                "kbz restart patroni",
            )
        )
    return findings


def _same_timeline(live: Live) -> Finding:
    found = {m.timeline for m in members(live).values() if m.running and m.timeline is not None}
    if len(found) <= 1:
        if (away := unasked(live)) is not None:
            return unknown("patroni.timeline.same", away.why)
        return Finding("patroni.timeline.same", Level.OK, "all members are on one timeline")
    return Finding("patroni.timeline.same", Level.CRITICAL, f"timelines {sorted(found, key=str)}")


def _same_image(live: Live) -> Finding:
    images = [
        (host, state)
        for host, view in live.hosts.items()
        for identity, state in view.states.items()
        if identity.startswith("image:") and "patroni" in identity
    ]
    found = {state.attributes.get("id") for _, state in images if state.present}
    away = of_hosts((host, state.problem) for host, state in images if state.problem)
    if len(found) <= 1 and away is not None:
        return unknown("patroni.image.same", away.why)
    if len(found) <= 1:
        return Finding("patroni.image.same", Level.OK, "all members have the same image")
    return Finding("patroni.image.same", Level.WARN, f"{len(found)} images under one reference")


def _lag(member: PatroniMember) -> str:
    return "unknown" if member.lag is None else f"{member.lag} B"


def _states(found: Iterable[PatroniMember]) -> str:
    return ", ".join(f"{member.host} {member.state}" for member in found) or "no member answers"
