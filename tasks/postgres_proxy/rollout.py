"""The next step for the entry to PostgreSQL, from its live state. Pure.

One path for every life of it, and one host at a time: the other one keeps taking sessions. A host that does not serve
comes first, because it has nothing to lose; no other is touched before those that serve are proven good, by writing
through their own ports as the application does.
"""

from __future__ import annotations

from keybuzz.model.docker import Image
from keybuzz.model.files import Directory
from keybuzz.model.live import Gate, Live, Stage
from keybuzz.model.plan import Action, Change
from tasks.postgres_proxy.checks import misled, not_carrying, not_good
from tasks.postgres_proxy.members import proxies, up
from tasks.postgres_proxy.values import USERLIST

GOOD_TIMEOUT = 90.0
"""Seconds: two checks of HAProxy, and an election if one is under way."""


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
    """Change the first host that does not serve, or the first of all."""
    serving = up(live)
    host = min({change.host for change in ready}, key=lambda name: (name in serving, name))
    mine = tuple(change for change in ready if change.host == host)
    before = _others_carry(live, ready, host) if host in serving else _built(live, ready, host)
    return Stage(f"change {host}", mine, before, _proven(host, ready))


def _others_carry(live: Live, ready: list[Change], host: str) -> Gate | None:
    """Hosts that are still to be changed must carry sessions; those that are done must be proven good."""
    others = [name for name in sorted(live.hosts) if name != host]
    done = [n for n in others if n in live.selected and n not in {c.host for c in ready}]
    if not others:
        return None
    return Gate(
        f"{', '.join(others)} can carry all sessions",
        lambda now: not_carrying(now, others) or not_good(now, done),
        GOOD_TIMEOUT,
    )


def _built(live: Live, ready: list[Change], host: str) -> Gate | None:
    """While a host is built, those that serve and are not to be changed keep all sessions.

    One that is to be changed too may be what is wrong; nobody serves before the first install.
    """
    pending = {change.host for change in ready}
    serving = sorted(up(live) - pending)
    done = [name for name in serving if name in live.selected]
    if not serving:
        return None
    return Gate(
        f"{', '.join(serving)} can carry all sessions, while {host} is built",
        lambda now: not_carrying(now, serving) or not_good(now, done),
        GOOD_TIMEOUT,
    )


def _proven(host: str, ready: list[Change]) -> Gate:
    """By its own ports, then by the load balancer, unless that may lead to a host with another password."""
    mixed = any(
        change.host != host and change.identity == USERLIST and change.action is Action.UPDATE
        for change in ready
    )
    return Gate(
        f"{host} is proven good",
        lambda now: not_good(now, [host]) or (None if mixed else misled(now, [host])),
        GOOD_TIMEOUT,
    )


def _settle(live: Live) -> Stage | None:
    """Wait for hosts on their way: a run that was cut off, or Docker that has just come back."""
    started = [
        host for host, proxy in proxies(live).items() if proxy.started and host in live.selected
    ]

    def reason(now: Live) -> str | None:
        return not_good(now, started) or misled(now, started)

    if not started or reason(live) is None:
        return None
    return Stage("wait", (), after=Gate("sessions are served", reason, GOOD_TIMEOUT))
