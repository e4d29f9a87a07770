"""The next step for backup-01, from its live state. Pure: it interrupts nothing but its own receiver."""

from __future__ import annotations

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.core.proposed import proposed
from keybuzz.model.host.system import SystemdUnit
from tasks.backup.postgres.source import source_of
from tasks.patroni.service.resources import PatroniSlot

RECEIVE_TIMEOUT = 120.0
"""Seconds until the receiver has its slot: Patroni makes it on the leader within its loop of 10 s."""


def next_stage(live: Live) -> Stage | None:
    """Return what is to be written, then the receiver, then the wait until WAL streams."""
    ready = tuple(change for change in live.changes() if change.action is not Action.LATER)
    # A receiver without its slot fails, and Barman waits a minute before it tries again.
    last = [change for change in ready if isinstance(change.resource, SystemdUnit)]
    if first := tuple(change for change in ready if change not in last):
        gate = Gate("the leader has the slot", _no_slot, RECEIVE_TIMEOUT)
        return Stage("Barman and its slot", first, after=gate if _slots(first) else None)
    gate = Gate("PostgreSQL streams its WAL to backup-01", not_streaming, RECEIVE_TIMEOUT)
    if last:
        return Stage("the receiver of WAL", tuple(last), after=gate)
    if not_streaming(live):
        return Stage("wait", (), after=gate)
    _require_rights(live)
    return None


def _require_rights(live: Live) -> None:
    """Raise RefusedError where everything is as described and no base backup can be taken all the same."""
    for host in sorted(live.selected & live.hosts.keys()):
        found = source_of(live.hosts[host]) if live.hosts[host].resources else ""
        if not isinstance(found, str) and not found.rights:
            raise RefusedError(
                "WAL is received, and PostgreSQL does not let Barman's role take base backups",
                where=host,
                hint=f"{proposed('kbz', 'run', 'patroni')} grants it",
            )


def _slots(changes: tuple[Change, ...]) -> bool:
    return any(isinstance(change.resource, PatroniSlot) for change in changes)


def _no_slot(live: Live) -> str | None:
    """Return why the leader does not have the slot yet; None when it has."""
    for host in sorted(live.selected & live.hosts.keys()):
        found = source_of(live.hosts[host])
        if isinstance(found, str):
            return f"{host}: {found}"
        if not found.there:
            return "the leader has no such slot yet"
    return None


def not_streaming(live: Live) -> str | None:
    """Return why no WAL streams to a selected host; None when it does."""
    for host in sorted(live.selected & live.hosts.keys()):
        if not live.hosts[host].resources:
            continue
        found = source_of(live.hosts[host])
        if isinstance(found, str):
            return f"{host}: {found}"
        if not found.active:
            return "nothing reads the slot yet"
    return None
