"""A maintenance whose end has passed, and that is still noted. Pure."""

from __future__ import annotations

from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.proposed import proposed
from keybuzz.model.inventory.maintenance import Maintenance, moment


def maintenance_over(entry: Maintenance) -> Finding:
    """Return what is told of the host: what is wrong with it counts again."""
    return Finding(
        "base.maintenance.over",
        Level.CRITICAL,
        f"its maintenance ended at {moment(entry.until)} and is still noted: {entry.reason}",
        entry.host,
        f"{proposed('kbz', 'maintenance', 'off', entry.host)}, or another --until",
    )
