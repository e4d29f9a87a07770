"""Health of Redis and Sentinel; the same functions are the gates of a run. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from keybuzz.model.core.finding import Finding, Level, Unread, all_unknown, of_hosts, unknown
from keybuzz.model.core.live import HostView, Live, Member, Topology
from keybuzz.model.core.proposed import on_host, proposed
from tasks.redis.by_hand import switches
from tasks.redis.by_hand.spelled import to_sentinel
from tasks.redis.members import RedisMember, master_name, masters, members, unasked
from tasks.redis.values import PORT

_SETTINGS = "redis-settings:live"
_FROM_REDIS = ("redis.replica.link", "redis.aof.enabled", "redis.memory.limit")
_FROM_SENTINEL = (
    "redis.sentinel.login",
    "redis.sentinel.quorum",
    "redis.sentinel.name",
    "redis.sentinel.failover",
)
"""What is not known of a node, or of a Sentinel, that does not answer."""


def checks(live: Live) -> tuple[Finding, ...]:
    """Return a finding for every check on every member, good ones too."""
    found = members(live)
    return (
        *(_reachable(live, server.name) for server in live.members),
        _single_master(live),
        _same_answer(live),
        *(
            finding
            for host, view in live.hosts.items()
            for finding in _member(live, view, found[host])
        ),
        _same_version(found.values()),
        *switches.checks(live),
    )


def _member(live: Live, view: HostView, member: RedisMember) -> tuple[Finding, ...]:
    if not member.redis.role:
        why = member.redis.problem or "Redis does not say its role"
        redis: tuple[Finding, ...] = (
            _silent("redis.node.answers", member, member.redis.problem),
            *all_unknown(_FROM_REDIS, why, member.host),
        )
    else:
        redis = (
            Finding("redis.node.answers", Level.OK, "answers", member.host),
            _link(live, member),
            _aof(member),
            _memory(view, member.host),
        )
    if not member.sentinel.answers:
        sentinel: tuple[Finding, ...] = (
            _silent("redis.sentinel.answers", member, member.sentinel.problem),
            *all_unknown(_FROM_SENTINEL, member.sentinel.problem, member.host),
        )
    else:
        sentinel = (
            Finding("redis.sentinel.answers", Level.OK, "answers", member.host),
            _login(view, member),
            _quorum(live, member),
            _names(view, member),
        )
    return (*redis, *sentinel, _units(view, member.host))


_PINGED = "its password is right; docker logs redis on the master says which error: MISCONF is a failed save (disk)"


def _login(view: HostView, member: RedisMember) -> Finding:
    """A Sentinel with a wrong password sees a master that serves as down, and agrees to every failover."""
    check, found = "redis.sentinel.login", member.sentinel.let_in
    identity = f"sentinel-monitor:{master_name(view)}"
    hint = (
        f"{proposed('kbz', 'run', 'redis', '--limit', member.host)} gives it the store's password"
    )
    if isinstance(found, Unread):
        return unknown(check, found.why, member.host)
    if not found and view.attribute(identity, "auth_pass_matches") is True:
        text = f"Redis on {member.sentinel.master} answers its Sentinel's pings with an error, such as MISCONF or BUSY"
        return Finding(check, Level.CRITICAL, text, member.host, _PINGED)
    if not found:
        text = f"Redis on {member.sentinel.master} answers its Sentinel, and does not let it in (auth-pass)"
        return Finding(check, Level.CRITICAL, text, member.host, hint)
    if view.attribute(identity, "auth_pass_matches") is False:
        text = "its Sentinel has another password for Redis than the store: its next connection is refused"
        return Finding(check, Level.CRITICAL, text, member.host, hint)
    return Finding(check, Level.OK, "Redis lets its Sentinel in", member.host)


def not_ready(live: Live, hosts: Iterable[str]) -> str | None:
    """Return why these hosts are not one master, its replicas and agreeing Sentinels yet, or None."""
    wanted = tuple(dict.fromkeys(hosts))
    leading = masters(live)
    if len(leading) != 1:
        return f"{_who(leading)} master ({_roles(live)})"
    found = members(live)
    for host in wanted:
        if host not in found:
            return f"{host} does not answer"
        if reason := _not_well(live, found[host], len(wanted)):
            return f"{host}: {reason}"
    return None


def _not_well(live: Live, member: RedisMember, size: int) -> str | None:
    redis, sentinel = member.redis, member.sentinel
    address = _master_address(live)
    if not redis.role:
        return f"Redis does not answer ({redis.problem})"
    if not redis.leads and (redis.follows != address or not redis.link_up):
        return f"does not replicate from {address} yet"
    if not sentinel.answers:
        return f"Sentinel does not answer ({sentinel.problem})"
    if sentinel.master != address:
        return f"its Sentinel takes {sentinel.master or 'no node'} for the master"
    if sentinel.flags & {"s_down", "o_down", "failover_in_progress"}:
        return f"its Sentinel sees the master as {', '.join(sorted(sentinel.flags))}"
    if sentinel.peers < size - 1 or sentinel.replicas < size - 1:
        return f"its Sentinel knows {sentinel.peers} others and {sentinel.replicas} replicas"
    return f"its Sentinel has no quorum: {sentinel.quorum}" if sentinel.quorum else None


def topology(live: Live) -> Topology:
    """Return who is master and who follows now, for people."""
    found = members(live)
    lines = tuple(_line(member, _offset(live)) for member in found.values())
    missing = tuple(Member(host, "?", "unreachable") for host in live.unreachable)
    names = [master_name(view) for view in live.hosts.values()]
    return Topology(next((name for name in names if name), "redis"), (*lines, *missing))


def _line(member: RedisMember, offset: int | None) -> Member:
    redis, sentinel = member.redis, member.sentinel
    role = {"master": "master", "slave": "replica"}.get(redis.role, "?")
    state = "running" if redis.leads else "replicates" if redis.link_up else "link down"
    behind = "?" if offset is None or not redis.role else f"{max(0, offset - redis.offset)} B"
    details = (
        ("lag", behind),
        ("sentinel", "no answer" if not sentinel.answers else sentinel.quorum or "quorum"),
        ("Redis", redis.version or "?"),
    )
    return Member(member.host, role, state if redis.role else "no answer", details)


def _offset(live: Live) -> int | None:
    found = [member.redis.offset for member in members(live).values() if member.redis.leads]
    return found[0] if len(found) == 1 else None


def _master_address(live: Live) -> str:
    leading = masters(live)
    return str(live.hosts[leading[0]].server.address) if len(leading) == 1 else ""


def _reachable(live: Live, host: str) -> Finding:
    check = "redis.member.reachable"
    if host in live.unreachable:
        return Finding(check, Level.UNKNOWN, live.unreachable[host], host)
    if host not in live.hosts:
        return Finding(check, Level.UNKNOWN, "was not asked", host)
    return Finding(check, Level.OK, "answers", host)


def _single_master(live: Live) -> Finding:
    leading = masters(live)
    if len(leading) == 1:
        if (away := unasked(members(live).values())) is not None:
            return unknown("redis.master.single", f"{leading[0]} is master; {away.why}")
        return Finding("redis.master.single", Level.OK, f"{leading[0]} is master")
    return Finding(
        "redis.master.single",
        Level.CRITICAL,
        f"{_who(leading)} master ({_roles(live)})",
        hint="Sentinel settles who is master; kbz run redis starts what is stopped and promotes no node",
    )


def _same_answer(live: Live) -> Finding:
    """Judge what all Sentinels and all nodes say together."""
    named = {
        member.sentinel.master or "no node"
        for member in members(live).values()
        if member.sentinel.answers
    }
    if not named:
        return Finding("redis.sentinel.agree", Level.CRITICAL, "no Sentinel answers")
    if len(named) > 1:
        text = f"Sentinels name {', '.join(sorted(named))}"
        return Finding("redis.sentinel.agree", Level.CRITICAL, text)
    (address,) = named
    if address != _master_address(live):
        text = f"Sentinels name {address}; of the nodes {_who(masters(live))} master"
        return Finding("redis.sentinel.agree", Level.CRITICAL, text)
    found = members(live).values()
    silent = [(m.host, m.sentinel.problem) for m in found if not m.sentinel.answers]
    away = of_hosts(silent) if silent else unasked(found)
    if away is not None:
        return unknown("redis.sentinel.agree", f"those that answer name {address}; {away.why}")
    return Finding("redis.sentinel.agree", Level.OK, f"all name {address}")


def _silent(check: str, member: RedisMember, problem: str) -> Finding:
    hint = on_host(member.host, "docker", "ps", "-a")
    if member.redis.denied and check == "redis.node.answers":
        hint = "the live password is not the one of redis.env: kbz adopt redis --take-credentials finds it"
    return Finding(check, Level.CRITICAL, problem or "does not say its role", member.host, hint)


def _link(live: Live, member: RedisMember) -> Finding:
    check, redis, address = "redis.replica.link", member.redis, _master_address(live)
    if redis.leads:
        expected = len(live.members) - 1
        level = Level.OK if redis.replicas >= expected else Level.WARN
        return Finding(check, level, f"{redis.replicas} of {expected} replicas", member.host)
    if not redis.link_up:
        text = f"the link to {redis.follows or 'no master'} is down"
        return Finding(check, Level.CRITICAL, text, member.host)
    if address and redis.follows != address:
        text = f"follows {redis.follows}, and the master is {address}"
        return Finding(check, Level.CRITICAL, text, member.host)
    return Finding(check, Level.OK, f"replicates from {redis.follows}", member.host)


def _aof(member: RedisMember) -> Finding:
    if member.redis.aof == "on":
        return Finding("redis.aof.enabled", Level.OK, "on", member.host)
    text = f"the append-only file: {member.redis.aof}"
    return Finding("redis.aof.enabled", Level.CRITICAL, text, member.host)


def _memory(view: HostView, host: str) -> Finding:
    limit = view.attribute(_SETTINGS, "maxmemory")
    if why := view.unread(_SETTINGS):
        return unknown("redis.memory.limit", why, host)
    if limit in (None, "0"):
        text = (
            "no maxmemory: allkeys-lru never evicts, and Redis grows until the host has no memory"
        )
        hint = "the owner decides: redis.maxmemory in site.yaml"
        return Finding("redis.memory.limit", Level.WARN, text, host, hint)
    return Finding("redis.memory.limit", Level.OK, f"{limit} B", host)


def _quorum(live: Live, member: RedisMember) -> Finding:
    check, sentinel, others = "redis.sentinel.quorum", member.sentinel, len(live.members) - 1
    if sentinel.quorum:
        return Finding(check, Level.CRITICAL, sentinel.quorum, member.host)
    if (sentinel.peers, sentinel.replicas) != (others, others):
        text = f"knows {sentinel.peers} Sentinels and {sentinel.replicas} replicas, {others} each are there"
        ours = {f"{server.address}:{PORT}" for server in live.members}
        foreign = sorted(set(sentinel.known) - ours)
        text += f"; foreign: {', '.join(foreign)}" if foreign else ""
        view = live.hosts[member.host]
        reset = to_sentinel(view, "RESET", master_name(view))
        hint = f"when those are gone, {reset}, one host after the other"
        return Finding(check, Level.WARN, text, member.host, hint)
    return Finding(check, Level.OK, f"reachable, with {others} others", member.host)


def _names(view: HostView, member: RedisMember) -> Finding:
    """One name for the master (contradiction 30): what else is monitored is reported and left alone."""
    wanted = master_name(view)
    if isinstance(member.sentinel.names, Unread):
        return unknown("redis.sentinel.name", member.sentinel.names.why, member.host)
    others = [name for name in member.sentinel.names if name != wanted]
    if not others:
        return Finding("redis.sentinel.name", Level.OK, wanted, member.host)
    text = f"also monitors {', '.join(others)}"
    hint = f"when nothing uses it, {to_sentinel(view, 'REMOVE', others[0])}"
    return Finding("redis.sentinel.name", Level.WARN, text, member.host, hint)


def _units(view: HostView, host: str) -> Finding:
    """No units for containers (RED-4, contradiction 16): what legacy left is reported."""
    answer = view.answer("redis.units")
    if not answer.known:
        return unknown("redis.units.none", answer.problem, host)
    found = [name for name in answer.value["names"] if "redis" in name and "." in name]
    if found:
        text = f"{', '.join(found)} in /etc/systemd/system: Docker restarts the containers"
        return Finding("redis.units.none", Level.WARN, text, host, "remove them by hand")
    return Finding("redis.units.none", Level.OK, "none", host)


def _same_version(found: Collection[RedisMember]) -> Finding:
    versions = sorted({member.redis.version for member in found} - {""})
    if len(versions) <= 1:
        mute = ((m.host, m.redis.problem or "says none") for m in found if not m.redis.version)
        if (away := of_hosts(mute)) is not None:
            return unknown("redis.version.same", away.why)
        return Finding("redis.version.same", Level.OK, versions[0] if versions else "no member")
    return Finding("redis.version.same", Level.WARN, f"{' and '.join(versions)} run")


def _who(leading: tuple[str, ...]) -> str:
    if not leading:
        return "no node is"
    return f"{' and '.join(leading)} {'is' if len(leading) == 1 else 'both are'}"


def _roles(live: Live) -> str:
    found = members(live).values()
    return ", ".join(f"{m.host} {m.redis.role or 'silent'}" for m in found) or "no member answers"
