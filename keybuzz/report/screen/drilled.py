"""Drills of restores, as text or as a document. Pure."""

from __future__ import annotations

from typing import Any

from keybuzz.engine.backup.drill import Drilled, RestoreDrill
from keybuzz.model.core.visible import visible


def drilled_text(one: Drilled) -> str:
    """Return how the restore of one service went."""
    copy = one.copy.id if one.copy else "no backup"
    if one.problem:
        return f"{visible(f'✗ {one.service}: {copy} was not restored: {one.problem}')}\n"
    lost = "not known" if one.lost is None else _span(one.lost)
    line = (
        f"· {one.service}: {copy} restored and counted in {one.recovery:.1f} s (RTO); "
        f"its data is of {one.reached}, {lost} ago (RPO)"
    )
    return f"{visible(line)}\n"


def _span(seconds: float) -> str:
    for size, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def drilled_document(report: RestoreDrill) -> dict[str, Any]:
    """Return the same as one document."""
    return {
        "format_version": 1,
        "verb": "drill restore",
        "exit_code": int(report.code),
        "services": [_service(one) for one in report.services],
    }


def _service(one: Drilled) -> dict[str, Any]:
    return {
        "service": one.service,
        "host": one.host,
        "backup": one.copy.id if one.copy else None,
        "problem": one.problem or None,
        "recovery_seconds": round(one.recovery, 3) if not one.problem else None,
        "reached": one.reached or None,
        "lost_seconds": None if one.lost is None else round(one.lost, 3),
        "works": [
            {
                "name": work.name,
                "good": work.good,
                "seconds": round(work.seconds, 3),
                "said": work.said or None,
            }
            for work in one.works
        ],
    }
