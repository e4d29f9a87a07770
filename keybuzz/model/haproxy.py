"""What a running HAProxy says on its runtime socket. Pure."""

from __future__ import annotations

import csv


def servers_up(csv_text: str, backend: str) -> tuple[str, ...]:
    """Return the servers of a backend that are up, from the CSV of `show stat`."""
    rows = csv.DictReader(csv_text.removeprefix("# ").splitlines())
    return tuple(
        row["svname"]
        for row in rows
        if row.get("pxname") == backend
        and row.get("svname") != "BACKEND"
        and str(row.get("status", "")).startswith("UP")
    )


def information(text: str) -> dict[str, str]:
    """Return the fields of `show info`, with names in lower case."""
    lines = (line.partition(":") for line in text.splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in lines}
