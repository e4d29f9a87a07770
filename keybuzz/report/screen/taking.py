"""What `kbz adopt --take-credentials` found and did, as text and as a document. No value is in either. Pure."""

from __future__ import annotations

from typing import Any

from keybuzz.model.core.record import FORMAT_VERSION
from keybuzz.model.reports.taking import Taken, Taking
from keybuzz.report.screen.hosts import shown_hosts


def taking_text(found: Taking) -> str:
    """Return what would be taken over and from where, and what would not and why."""
    lines = [found.module]
    for item in found.taken:
        lines.append(f"  take {item.name} into {item.file}: {item.proof}")
        lines += [f"    {place} on {shown_hosts(list(hosts))}" for place, hosts in _places(item)]
        lines += (
            [f"    weak: short, or commonly known; replace it later: {item.weak}"]
            if item.weak
            else []
        )
    if found.same:
        lines.append(f"  in the store already: {', '.join(found.same)}")
    lines += [f"  not taken, {name}: {why}" for name, why in found.left.items()]
    lines += [f"  could not be looked into: {problem}" for problem in found.problems]
    count = len(found.taken)
    lines.append(f"{count} credential{'' if count == 1 else 's'} to take over; no value is shown")
    return "\n".join(lines) + "\n"


def taking_document(found: Taking, *, written: bool) -> dict[str, Any]:
    """Return it as the document of `kbz adopt`; `written` tells whether the store has the values now."""
    return {
        "format_version": FORMAT_VERSION,
        "verb": "adopt",
        "seconds": 0,
        "unreachable": {},
        "modules": [],
        "credentials": {
            "module": found.module,
            "written": written,
            "taken": [
                {
                    "name": item.name,
                    "file": item.file,
                    "proof": item.proof,
                    "weak": item.weak,
                    "places": {place: list(hosts) for place, hosts in _places(item)},
                }
                for item in found.taken
            ],
            "same": list(found.same),
            "left": dict(found.left),
            "problems": list(found.problems),
        },
    }


def _places(item: Taken) -> list[tuple[str, tuple[str, ...]]]:
    return sorted(item.places.items())
