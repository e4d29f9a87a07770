"""What `kbz adopt --take-settings` found and did, as text and as a document. Pure."""

from __future__ import annotations

from typing import Any

from keybuzz.model.core.record import FORMAT_VERSION
from keybuzz.model.reports.settling import Settling
from keybuzz.report.screen.hosts import shown_hosts


def settling_text(found: Settling) -> str:
    """Return which values would be taken over, and which would not and why."""
    lines = [found.module]
    lines += [
        f"  take {item.name}: {item.live}, as {shown_hosts(list(item.hosts))} have it; site.yaml says {item.site}"
        for item in found.taken
    ]
    lines += [f"  not taken, {name}: {why}" for name, why in found.left.items()]
    count = len(found.taken)
    lines.append(f"{count} value{'' if count == 1 else 's'} to take over")
    return "\n".join(lines) + "\n"


def settling_document(found: Settling, *, written: bool) -> dict[str, Any]:
    """Return it as the document of `kbz adopt`; `written` tells whether site.yaml has the values now."""
    return {
        "format_version": FORMAT_VERSION,
        "verb": "adopt",
        "seconds": 0,
        "unreachable": {},
        "modules": [],
        "settings": {
            "module": found.module,
            "written": written,
            "taken": [
                {
                    "parameter": item.name,
                    "site": item.site,
                    "live": item.live,
                    "hosts": list(item.hosts),
                }
                for item in found.taken
            ],
            "left": dict(found.left),
        },
    }
