"""The next step for the entry to RabbitMQ, from its live state. Pure.

One host at a time, one that does not serve first; the other one is proven by a real login before anything stops.
"""

from __future__ import annotations

from keybuzz.model.docker import Image
from keybuzz.model.files import Directory
from keybuzz.model.live import Gate, Live, Stage
from keybuzz.model.plan import Action, Change
from tasks.rabbitmq_proxy.checks import not_carrying, not_good
from tasks.rabbitmq_proxy.members import proxies, up

GOOD_TIMEOUT = 90.0
"""Seconds: two checks of HAProxy, and a node that is on its way."""


def next_stage(live: Live) -> Stage | None:
    """Return the next stage, or None when nothing is left to do."""
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    harmless = [change for change in ready if isinstance(change.resource, (Directory, Image))]
    if harmless:
        return Stage("directories and images", tuple(harmless))
    return _one_host(live, ready) if ready else _settle(live)


def _one_host(live: Live, ready: list[Change]) -> Stage:
    serving, waiting = up(live), {change.host for change in ready}
    host = min(waiting, key=lambda name: (name in serving, name))
    others = [name for name in sorted(live.hosts) if name != host]
    done = [name for name in others if name in live.selected and name not in waiting]
    before = None
    if host in serving and others:
        before = Gate(
            f"{', '.join(others)} can carry all connections",
            lambda now: not_carrying(now, others) or not_good(now, done),
            GOOD_TIMEOUT,
        )
    after = Gate(f"{host} is proven good", lambda now: not_good(now, [host]), GOOD_TIMEOUT)
    mine = tuple(change for change in ready if change.host == host)
    return Stage(f"change {host}", mine, before, after)


def _settle(live: Live) -> Stage | None:
    """Wait for hosts on their way: a run that was cut off, or Docker that has just come back."""
    started = [h for h, proxy in proxies(live).items() if proxy.started and h in live.selected]
    if not started or not_good(live, started) is None:
        return None
    good = Gate("connections are served", lambda now: not_good(now, started), GOOD_TIMEOUT)
    return Stage("wait", (), after=good)
