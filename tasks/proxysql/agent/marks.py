"""How data of ProxySQL is recognised wherever it lies."""

from __future__ import annotations

import stat

from keybuzz.agent.host.data_marks import is_sqlite

_NAME = "proxysql.db"


def mark_proxysql(folder: str, names: dict[str, int]) -> str | None:
    """Return whether it is a database; None for a folder that holds none."""
    if names.get(_NAME) != stat.S_IFREG:
        return None
    return "its database" if is_sqlite(f"{folder}/{_NAME}") else "a file that is no database"
