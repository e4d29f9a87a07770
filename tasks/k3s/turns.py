"""A node that is interrupted: drained before, and given pods again after. Pure."""

from __future__ import annotations

from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change, Difference
from tasks.k3s.members import nodes, up, writer
from tasks.k3s.ready import not_ready
from tasks.k3s.service.resources import K3sDrained, K3sSchedulable

READY_TIMEOUT = 600.0
"""Seconds for a host to boot and for its node to be Ready."""


def release(live: Live, host: str) -> Stage | None:
    """Cordon and drain a node that is about to be interrupted, by the word of another master than itself.

    A node that a person has cordoned, and one that is not Ready, is left as it is.
    """
    node = nodes(live).get(host)
    if node is None or not node.ready or node.held == "drained":
        return None
    if node.cordoned and not node.held:
        return None
    teller = min(up(live) - {host}, default=host)
    if teller not in up(live):
        return None
    wish = Change(
        teller,
        live.module,
        K3sDrained(host),
        Action.UPDATE,
        (Difference("drained", False, True),),
    )
    return Stage(f"drain {host}", (wish,))


def regain(live: Live, host: str) -> Stage | None:
    """Let a node that kbz has drained take pods again, when it is Ready."""
    node, teller = nodes(live).get(host), writer(live)
    if teller is None or node is None or not node.held:
        return None
    wish = Change(
        teller,
        live.module,
        K3sSchedulable(host),
        Action.UPDATE,
        (Difference("held", True, False),),
    )
    ready = Gate(f"{host} is Ready", lambda now: not_ready(now, [host]), READY_TIMEOUT)
    return Stage(f"{host} takes pods again", (wish,), before=ready)
