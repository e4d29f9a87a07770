"""The positions of a stopped cluster's members, as text."""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.site.module import Position

_HEAD = ("host", "history", "number", "last to leave", "read from", "")


def positions_text(positions: Iterable[Position], chosen: str) -> str:
    """Return a table with one line for each member, the chosen one marked, and what must be ruled out below it."""
    items = tuple(positions)
    rows = [_HEAD, *(_row(item, chosen) for item in items)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    warnings = (f"{item.host} {item.warning}" for item in items if item.warning)
    return "".join(f"{line.rstrip()}\n" for line in (*lines, *warnings))


def _row(item: Position, chosen: str) -> tuple[str, ...]:
    return (
        item.host,
        item.history or "none",
        str(item.number) if item.number >= 0 else "unknown",
        "yes" if item.marked else "no",
        item.source,
        _part(item.host, chosen),
    )


def _part(host: str, chosen: str) -> str:
    if not chosen:
        return ""
    return "starts the cluster" if host == chosen else "joins"
