"""`kbz hosts ping` as text and as a document. Pure."""

from __future__ import annotations

from typing import Any

from keybuzz.model.reports.ping import PingReport
from keybuzz.report.screen.fit import WIDTH, broken
from keybuzz.report.screen.hosts import count, ranges

FORMAT_VERSION = 1


def ping_text(found: PingReport, width: int = WIDTH) -> str:
    """Return the hosts that accept no connection, those that do, and the sum."""
    silent = [item.host for item in found.hosts if not item.accepts]
    accept = [item.host for item in found.hosts if item.accepts]
    lines: list[str] = []
    if silent:
        lines += broken(f"no connection on port {found.port}: {ranges(silent)}", width, 2)
    if silent and accept:
        lines += broken(f"accepts: {ranges(accept)}", width, 2)
    last = f"port {found.port} accepts a connection on {len(accept)} of {len(found.hosts)} hosts"
    if found.absent:
        last += f"; {count(len(found.absent), 'server')} not in this lab"
    return "\n".join([*lines, *broken(f"{last}; exit {int(found.exit_code)}", width, 2)]) + "\n"


def ping_document(found: PingReport) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "format_version": FORMAT_VERSION,
        "verb": "hosts ping",
        "exit_code": int(found.exit_code),
        "port": found.port,
        "not_in_this_lab": list(found.absent),
        "hosts": [
            {"host": item.host, "address": item.address, "accepts": item.accepts}
            for item in found.hosts
        ],
    }
