"""The next step for the entry to PostgreSQL, from its live state. Pure.

One path for every life of it, one host at a time (keybuzz/model/services/entries.py). A host is proven good by
writing through its own ports as the application does.
"""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.services.entries import Entries
from tasks.postgres_proxy.checks import misled, not_carrying, not_good
from tasks.postgres_proxy.members import ours, proxies, up
from tasks.postgres_proxy.values import USERLIST


def _started(live: Live) -> frozenset[str]:
    return frozenset(host for host, proxy in proxies(live).items() if proxy.started)


def _split(host: str, changes: Iterable[Change]) -> bool:
    """Return whether another host is still to learn a new password."""
    return any(
        change.host != host and change.identity == USERLIST and change.action is Action.UPDATE
        for change in changes
    )


ENTRIES = Entries(
    serving=ours,
    taking=up,
    started=_started,
    not_carrying=not_carrying,
    not_good=not_good,
    misled=misled,
    split=_split,
    settled="sessions are served",
    timeout=90.0,  # two checks of HAProxy, and an election if one is under way
)

next_stage = ENTRIES.next_stage
