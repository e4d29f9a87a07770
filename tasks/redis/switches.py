"""Settings made by hand in a running Redis that keep replicas from taking over, or let strangers in. Pure."""

from __future__ import annotations

from keybuzz.model.core.finding import Finding, Level, Unread, of_hosts, unknown
from keybuzz.model.core.live import Live
from keybuzz.model.core.proposed import proposed
from tasks.redis.members import RedisMember, able, masters, members

_OWN_USER = "default"


def checks(live: Live) -> tuple[Finding, ...]:
    """Return whether a replica could take over, and who is let in."""
    found = members(live)
    return (
        _takeover(live),
        *(_priority(member) for member in found.values()),
        *(_users(member) for member in found.values()),
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
        return Finding(check, Level.OK, f"priority {member.redis.priority}", member.host)
    text = "replica-priority is 0 by hand: Sentinel never promotes it"
    hint = f"CONFIG SET replica-priority 100 on it, or {proposed('kbz', 'restart', 'redis', '--limit', member.host)}"
    return Finding(check, Level.WARN, text, member.host, hint)


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
