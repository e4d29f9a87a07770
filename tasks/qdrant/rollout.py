"""The next step for Qdrant, from its live state. Pure.

There is one node: what replaces its container interrupts the service, and the gate waits until it serves again.
Nothing here deletes data.
"""

from __future__ import annotations

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action
from keybuzz.model.host.docker import Container
from tasks.qdrant import values
from tasks.qdrant.members import nodes, not_serving

START_TIMEOUT = 300.0
"""Seconds: it loads all collections first."""


def next_stage(live: Live) -> Stage | None:
    """Return the next stage, or None when nothing is left to do."""
    _require_own(live)
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    containers = tuple(c for c in ready if isinstance(c.resource, Container))
    around = tuple(change for change in ready if change not in containers)
    serves = Gate("Qdrant serves", not_serving, START_TIMEOUT)
    if around:
        return Stage("prepare", around)
    if containers:
        verb = "replace" if any(change.disrupts for change in containers) else "start"
        return Stage(f"{verb} {values.CONTAINER}", containers, after=serves)
    waiting = any(node.running for host, node in nodes(live).items() if host in live.selected)
    return Stage("wait", (), after=serves) if waiting and not_serving(live) else None


def _require_own(live: Live) -> None:
    """Raise RefusedError for a node that has another key than the store's: its clients know that one."""
    for host, node in nodes(live).items():
        if node.foreign and host in live.selected:
            raise RefusedError(
                "Qdrant does not take the API key of qdrant.env, and a run never changes a live one",
                where=host,
                hint="kbz adopt qdrant --take-credentials finds it; to replace it then: kbz secrets rotate qdrant",
            )
