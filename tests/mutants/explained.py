"""Survivors that no test should kill, each with the reason: file, what stood there, what stands there, why."""

from __future__ import annotations

EXPLAINED: dict[tuple[str, str, str], str] = {}
_GALERA = "tasks/galera/rollout.py"

EXPLAINED[
    _GALERA,
    """return f"the data was written by MariaDB {newest}; the frozen image opens {known[0] if known else 'none'}\"""",
    """return f"the data was written by MariaDB {newest}; the frozen image opens {known[ -1] if known else 'none'}\"""",
] = "a host describes its data once: the first is the last"
