"""`kbz preflight` as a table and as a document. Pure."""

from __future__ import annotations

from typing import Any

from keybuzz.model.reports.preflight import Preflight
from keybuzz.report.screen.fit import WIDTH, advice, broken
from keybuzz.report.screen.hosts import count, ranges

FORMAT_VERSION = 1


def preflight_text(found: Preflight, width: int = WIDTH) -> str:
    """Return each obstacle once, with where it is and what to do, and how many there are."""
    lines: list[str] = []
    for item in found.obstacles:
        word = "stops" if item.stops else "note"
        where = ranges(item.where) if len(item.where) < found.asked else "every server"
        lines += broken(f"{word:<6} {item.about}  {where}: {item.what}", width, 9)
        lines += advice(f"{'':<7}→ {item.todo}", width)
    stops = sum(item.stops for item in found.obstacles)
    end = f"{count(stops, 'obstacle')}, {count(len(found.obstacles) - stops, 'note')}"
    if found.absent:
        end += f"; {len(found.absent)} servers not in this lab"
    checked = f"checked {found.answered} of {found.asked} hosts and this machine"
    good = "; the first run would go through" if not found.exit_code else ""
    last = f"{checked}; {end}{good}; {found.seconds:.1f} s; exit {int(found.exit_code)}"
    return "\n".join([*lines, *broken(last, width, 2)]) + "\n"


def preflight_document(found: Preflight) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "format_version": FORMAT_VERSION,
        "verb": "preflight",
        "exit_code": int(found.exit_code),
        "seconds": round(found.seconds, 3),
        "checked": {"answered": found.answered, "selected": found.asked},
        "not_in_this_lab": list(found.absent),
        "obstacles": [
            {
                "where": list(item.where),
                "about": item.about,
                "what": item.what,
                "todo": item.todo,
                "stops": item.stops,
            }
            for item in found.obstacles
        ],
    }
