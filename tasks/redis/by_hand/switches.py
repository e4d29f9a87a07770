"""Settings made by hand in a running Redis that keep replicas from taking over, or let strangers in. Pure."""

from __future__ import annotations

from keybuzz.model.core.finding import Finding, Level, Unread, of_hosts, unknown
from keybuzz.model.core.live import Live
from keybuzz.model.core.proposed import on_host, proposed
from tasks.redis.by_hand.spelled import to_sentinel
from tasks.redis.members import RedisMember, able, master_name, masters, members, when

_OWN_USER = "default"


def checks(live: Live) -> tuple[Finding, ...]:
    """Return whether a replica could take over, and who is let in."""
    found = members(live)
    return (
        _takeover(live),
        *(_priority(member) for member in found.values()),
        *(_writes(member) for member in found.values()),
        *(_own_writes(member) for member in found.values()),
        *(_users(member) for member in found.values()),
        *(_failover(live, member) for member in found.values() if member.sentinel.answers),
    )


def _takeover(live: Live) -> Finding:
    check, leading = "redis.takeover", masters(live)
    found = members(live).values()
    told = {member.host for member in found if not isinstance(member.redis.priority, Unread)}
    ready = sorted((able(live) & told) - set(leading))
    replicas = [member for member in found if member.redis.role == "slave"]
    if replicas and all(member.redis.priority == "0" for member in replicas):
        text = "no replica can take over: each has replica-priority 0"
        hint = "CONFIG SET replica-priority 100 on each"
        return Finding(check, Level.CRITICAL, text, hint=hint)
    mute = ((m.host, m.redis.priority.why) for m in found if isinstance(m.redis.priority, Unread))
    if not ready and (away := of_hosts(mute)) is not None:
        return unknown(check, away.why)
    # A replica that gets no writes is told by a check of its own.
    return Finding(check, Level.OK, f"{', '.join(ready) or 'no replica'} could take over")


def _priority(member: RedisMember) -> Finding:
    check = "redis.replica.priority"
    if isinstance(member.redis.priority, Unread):
        return unknown(check, member.redis.priority.why, member.host)
    if member.redis.priority != "0":
        # A switchover to a named node ranks it first while it lasts; one that was killed leaves that.
        more = ": Sentinel promotes it before all others" if member.redis.priority == "1" else ""
        return Finding(check, Level.OK, f"priority {member.redis.priority}{more}", member.host)
    text = "replica-priority is 0 by hand: Sentinel never promotes it"
    hint = f"CONFIG SET replica-priority 100 on it, or {proposed('kbz', 'restart', 'redis', '--limit', member.host)}"
    return Finding(check, Level.WARN, text, member.host, hint)


def _writes(member: RedisMember) -> Finding:
    check = "redis.writes.taken"
    if not member.redis.role or not member.redis.told:
        why = member.redis.problem or "Redis does not say how its disk and its replicas are"
        return unknown(check, why, member.host)
    if not member.redis.refuses:
        return Finding(check, Level.OK, "nothing holds writes back", member.host)
    leads = member.redis.leads
    text = f"{'refuses' if leads else 'would refuse'} every write: {member.redis.refuses}"
    hint = on_host(member.host, "docker", "logs", "--tail", "30", "redis")
    return Finding(check, Level.CRITICAL if leads else Level.WARN, text, member.host, hint)


def _own_writes(member: RedisMember) -> Finding:
    check = "redis.replica.read-only"
    if not member.redis.leads and member.redis.writable_replica is None:
        why = member.redis.problem or "Redis does not say whether it is read-only"
        return unknown(check, why, member.host)
    if member.redis.leads or not member.redis.writable_replica:
        return Finding(check, Level.OK, "takes writes from its master only", member.host)
    text = "replica-read-only is no by hand: what clients write here is lost with the next copy"
    return Finding(check, Level.WARN, text, member.host, "CONFIG SET replica-read-only yes on it")


def _failover(live: Live, member: RedisMember) -> Finding:
    """A quorum that is never reached, or a master that never counts as down: all answers are good, and none leads."""
    check, now = "redis.sentinel.failover", member.sentinel.failover
    if isinstance(now, Unread):
        return unknown(check, now.why, member.host)
    view = live.hosts[member.host]
    wrong = {name: value for name, value in when(view).items() if now[name] != value}
    if not wrong:
        return Finding(check, Level.OK, "a failover begins as described", member.host)
    text = ", ".join(f"{name} is {now[name]} instead of {value}" for name, value in wrong.items())
    words = [word for pair in wrong.items() for word in pair]
    hint = to_sentinel(view, "SET", master_name(view), *words)
    return Finding(check, Level.CRITICAL, f"set by hand: {text}", member.host, hint)


def _users(member: RedisMember) -> Finding:
    """One user is described: any other that may log in was made by hand, and one without a password is an open door."""
    check = "redis.users.described"
    if isinstance(member.redis.users, Unread):
        return unknown(check, member.redis.users.why, member.host)
    rules = {
        line.split()[1]: line.split()[2:] for line in member.redis.users if len(line.split()) > 2
    }
    foreign = sorted(name for name, words in rules.items() if name != _OWN_USER and "on" in words)
    open_doors = sorted(name for name, words in rules.items() if {"on", "nopass"} <= set(words))
    if open_doors:
        text = f"let in without a password: {', '.join(open_doors)}"
        return Finding(
            check,
            Level.CRITICAL,
            text,
            member.host,
            "ACL DELUSER NAME, or ACL SETUSER NAME resetpass",
        )
    if foreign:
        text = f"users that no file describes: {', '.join(foreign)}"
        return Finding(check, Level.WARN, text, member.host, "ACL DELUSER NAME, by its owner")
    return Finding(check, Level.OK, "only the described user", member.host)
