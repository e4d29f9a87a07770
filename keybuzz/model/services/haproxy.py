"""What HAProxy answers on its runtime socket, read. Pure."""

from __future__ import annotations

import csv


def servers_up(csv_text: str, backend: str) -> tuple[str, ...]:
    """Return the names of a backend's servers that get sessions, from the CSV of `show stat`."""
    return tuple(row.get("svname") or "?" for row in _up(csv_text, backend))


def addresses_up(csv_text: str, backend: str) -> tuple[str, ...]:
    """Return `address:port` of the same servers, in the same order."""
    return tuple(row.get("addr") or "?" for row in _up(csv_text, backend))


def information(text: str) -> dict[str, str]:
    """Return the fields of `show info`, names in lower case."""
    lines = (line.partition(":") for line in text.splitlines())
    return {name.strip().lower(): value.strip() for name, colon, value in lines if colon}


def _up(csv_text: str, backend: str) -> list[dict[str, str]]:
    rows = csv.DictReader(csv_text.removeprefix("# ").splitlines())
    try:
        found = list(rows)
    except csv.Error:
        return []  # something else answers there
    return [
        row
        for row in found
        if row.get("pxname") == backend
        and row.get("svname") not in ("FRONTEND", "BACKEND")
        and str(row.get("status") or "").startswith("UP")
    ]
