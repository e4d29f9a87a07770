"""The next step for the entry to Redis, from its live state. Pure.

One host at a time: the other one keeps taking sessions. A host that takes no writes comes first, because it has nothing
to lose; no other is touched before those that serve are proven good, by a write through their own port.
"""

from __future__ import annotations

from keybuzz.model.docker import Image
from keybuzz.model.files import Directory
from keybuzz.model.live import Gate, Live, Stage
from keybuzz.model.plan import Action, Change
from tasks.redis_proxy.checks import misled, not_carrying, not_good
from tasks.redis_proxy.members import proxies, up, wrong

GOOD_TIMEOUT = 120.0
"""Seconds: a round of the watcher, two checks of HAProxy, and a failover if one is under way."""


def next_stage(live: Live) -> Stage | None:
    """Return the next stage, or None when nothing is left to do."""
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    harmless = [change for change in ready if isinstance(change.resource, (Directory, Image))]
    if harmless:
        return Stage("directories and images", tuple(harmless))
    if ready:
        return _one_host(live, ready)
    return _settle(live)


def _one_host(live: Live, ready: list[Change]) -> Stage:
    """Change the first host that takes no session, else one that takes no write, or the first of all."""
    taking, serving = up(live), _serving(live)
    hosts = {change.host for change in ready}
    host = min(hosts, key=lambda name: (name in serving, name in taking, name))
    mine = tuple(change for change in ready if change.host == host)
    before = _others_carry(live, ready, host) if host in serving else None
    proven = Gate(
        f"{host} is proven good",
        lambda now: not_good(now, [host]) or misled(now, [host]),
        GOOD_TIMEOUT,
    )
    return Stage(f"change {host}", mine, before, proven)


def _serving(live: Live) -> frozenset[str]:
    """Return the hosts that have something to lose: an application writes through them now.

    One that takes sessions and leads nowhere is none of them. Two such hosts would wait for each other.
    """
    found = proxies(live)
    return frozenset(host for host in up(live) if not wrong(found[host].write))


def _others_carry(live: Live, ready: list[Change], host: str) -> Gate | None:
    """Hosts that are still to be changed must lead to the master; those that are done must be proven good."""
    others = [name for name in sorted(live.hosts) if name != host]
    done = [n for n in others if n in live.selected and n not in {c.host for c in ready}]
    if not others:
        return None
    return Gate(
        f"{', '.join(others)} can carry all sessions",
        lambda now: not_carrying(now, others) or not_good(now, done),
        GOOD_TIMEOUT,
    )


def _settle(live: Live) -> Stage | None:
    """Wait for hosts on their way: a run that was cut off, a failover, or Docker that has just come back."""
    started = [
        host for host, proxy in proxies(live).items() if proxy.started and host in live.selected
    ]

    def reason(now: Live) -> str | None:
        return not_good(now, started) or misled(now, started)

    if not started or reason(live) is None:
        return None
    return Stage("wait", (), after=Gate("the master takes writes", reason, GOOD_TIMEOUT))
