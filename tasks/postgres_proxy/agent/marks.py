"""How a configuration of PgBouncer is recognised wherever it lies."""

from __future__ import annotations

import re
import stat

from keybuzz.agent.host.data_marks import ports_in

_NAME = "pgbouncer.ini"
_PORT = re.compile(r"(?m)^\s*listen_port\s*=\s*(\d+)")


def mark_pgbouncer(folder: str, names: dict[str, int]) -> str | None:
    """Return the ports that it listens on; None for a folder that holds none."""
    if names.get(_NAME) != stat.S_IFREG:
        return None
    return ports_in(f"{folder}/{_NAME}", _PORT) or None
