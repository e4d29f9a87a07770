"""The next step for the entry to RabbitMQ, from its live state. Pure.

One host at a time (keybuzz/model/services/entries.py), proven by a real login.
"""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.model.core.live import Live
from keybuzz.model.services.entries import Entries
from tasks.rabbitmq_proxy.checks import not_carrying, not_good
from tasks.rabbitmq_proxy.members import proxies, up


def _started(live: Live) -> frozenset[str]:
    return frozenset(host for host, proxy in proxies(live).items() if proxy.started)


def _not_asked(live: Live, hosts: Iterable[str]) -> str | None:
    """A login through the load balancer is a check of health, and holds up no run."""
    return None


ENTRIES = Entries(
    serving=up,
    taking=up,
    started=_started,
    not_carrying=not_carrying,
    not_good=not_good,
    misled=_not_asked,
    traffic="connections",
    settled="connections are served",
    timeout=90.0,  # two checks of HAProxy, and a node that is on its way
)

next_stage = ENTRIES.next_stage
