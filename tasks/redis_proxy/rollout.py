"""The next step for the entry to Redis, from its live state. Pure.

One host at a time (keybuzz/model/services/entries.py), proven by a write through its own port.
"""

from __future__ import annotations

from keybuzz.model.core.live import Live
from keybuzz.model.services.entries import Entries
from tasks.redis_proxy.checks import misled, not_carrying, not_good
from tasks.redis_proxy.members import proxies, up


def _serving(live: Live) -> frozenset[str]:
    """Return the hosts that lead an application to the master now.

    One that takes sessions and leads nowhere is none of them. Two such hosts would wait for each other.
    """
    found = proxies(live)
    return frozenset(host for host, one in found.items() if one.answers and not one.master.wrong)


def _started(live: Live) -> frozenset[str]:
    return frozenset(host for host, proxy in proxies(live).items() if proxy.started)


ENTRIES = Entries(
    serving=_serving,
    taking=up,
    started=_started,
    not_carrying=not_carrying,
    not_good=not_good,
    misled=misled,
    settled="the master takes writes",
    timeout=120.0,  # a round of the watcher, two checks of HAProxy, and a failover if one is under way
)

next_stage = ENTRIES.next_stage
