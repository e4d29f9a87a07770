"""What a test of a rollout asks of a stage's gate."""

from __future__ import annotations

from keybuzz.model.core.live import Gate, Live


def told(gate: Gate | None, live: Live) -> str | None:
    """Return why a gate is closed now; None when it is open."""
    assert gate is not None
    return gate.reason(live)


def shape(gate: Gate | None) -> tuple[str, float]:
    """Return what a gate says and how long it waits, in seconds."""
    assert gate is not None
    return gate.name, gate.timeout
