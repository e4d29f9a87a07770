"""The next step for mc on the controller, from its live state. Pure: nothing here interrupts anything."""

from __future__ import annotations

from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action
from keybuzz.model.host.login import refusal
from tasks.minio_client.desired import LOGIN

LOGIN_TIMEOUT = 60.0
"""Seconds until MinIO takes the credentials: it may have begun a moment ago."""


def next_stage(live: Live) -> Stage | None:
    """Return what is to be written, then the wait until MinIO takes what the alias says."""
    ready = tuple(change for change in live.changes() if change.action is not Action.LATER)
    if ready:
        return Stage("mc and its alias", ready)
    gate = Gate("MinIO takes the credentials of the alias", not_taken, LOGIN_TIMEOUT)
    return Stage("wait", (), after=gate) if not_taken(live) else None


def not_taken(live: Live) -> str | None:
    """Return why MinIO does not let a selected controller in; None when it does."""
    for host in sorted(live.selected & live.hosts.keys()):
        view = live.hosts[host]
        if view.resources and (why := refusal(view.answer(LOGIN))):
            return f"{host}: {why}"
    return None
