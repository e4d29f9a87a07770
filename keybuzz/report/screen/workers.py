"""The workers of a site as text and as documents. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keybuzz.model.reports.workers import WorkerCheck, WorkerPlace

FORMAT_VERSION = 1
_PLACES = ("PLACE", "BY", "REGIONS", "HOSTS", "SHARDS")
_CHECKS = ("PLACE", "VERDICT", "SECONDS", "WHAT")


def places_text(runner: str, places: Sequence[WorkerPlace]) -> str:
    """Return a line for each place."""
    if not places:
        return _none(runner)
    rows = [
        (p.name, p.how, ", ".join(p.regions) or "–", str(p.hosts), str(p.shards)) for p in places
    ]
    return "\n".join([*_table([_PLACES, *rows]), "", "`kbz workers check` asks each of them."])


def checks_text(runner: str, checks: Sequence[WorkerCheck]) -> str:
    """Return a line for each worker that was asked."""
    if not checks:
        return _none(runner)
    rows = [
        (c.place, c.verdict.value, f"{c.seconds:.1f}", c.what or " ".join(("kbz", c.kbz)))
        for c in checks
    ]
    return "\n".join(_table([_CHECKS, *rows]))


def _none(runner: str) -> str:
    return (
        f"runner.plugin is {runner}: this machine asks every host itself, and there are no workers."
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def places_document(runner: str, places: Sequence[WorkerPlace]) -> dict[str, Any]:
    """Return the places for programs."""
    return {
        "format_version": FORMAT_VERSION,
        "verb": "workers status",
        "runner": runner,
        "places": [
            {
                "place": place.name,
                "by": place.how,
                "regions": list(place.regions),
                "hosts": place.hosts,
                "shards": place.shards,
            }
            for place in places
        ],
    }


def checks_document(runner: str, checks: Sequence[WorkerCheck]) -> dict[str, Any]:
    """Return what the workers said for programs."""
    return {
        "format_version": FORMAT_VERSION,
        "verb": "workers check",
        "runner": runner,
        "workers": [
            {
                "place": check.place,
                "verdict": check.verdict.value,
                "what": check.what,
                "kbz": check.kbz,
                "seconds": round(check.seconds, 3),
            }
            for check in checks
        ],
    }
