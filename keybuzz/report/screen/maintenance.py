"""`kbz maintenance list`. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.record import FORMAT_VERSION
from keybuzz.model.inventory.maintenance import Maintenance, moment
from keybuzz.report.screen.fit import WIDTH, advice, table

Listed = Iterable[tuple[Maintenance, bool]]
"""Each entry, and whether it counts now."""


def listed_text(entries: Listed, width: int = WIDTH) -> str:
    """Return who is in maintenance, until when and why."""
    found = tuple(entries)
    if not found:
        return "no host is in maintenance\n"
    rows = [["host", "until", "state", "reason"]]
    lines: list[str] = []
    for entry, counts in found:
        rows.append([entry.host, moment(entry.until), "counts" if counts else "over", entry.reason])
        if not counts:
            lines += advice(f"→ {proposed('kbz', 'maintenance', 'off', entry.host)}", width)
    return "\n".join([*table(rows, width), *lines]) + "\n"


def listed_document(entries: Listed) -> dict[str, Any]:
    """Return the same as a document."""
    return {
        "format_version": FORMAT_VERSION,
        "hosts": [
            {
                "host": entry.host,
                "reason": entry.reason,
                "since": entry.since.isoformat(),
                "until": entry.until.isoformat(),
                "counts": counts,
            }
            for entry, counts in entries
        ],
    }
