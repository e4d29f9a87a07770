"""What a folder is by the files in it: which service's data, or which proxy's configuration, and its identity."""

from __future__ import annotations

import re
import stat

from keybuzz.agent import parts
from keybuzz.agent.guard import opener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Names = dict[str, int]

SERVING = ("haproxy", "pgbouncer")
"""Kinds that are no data: a configuration, whose identity is the ports that it listens on."""
HEAD = 1 << 16
"""Bytes of a file that are read at most."""
_BIND = re.compile(r"(?m)^\s*(?:bind|listen\s+\S+)\s+(?:\S*:)?(\d+)")
_LISTEN_PORT = re.compile(r"(?m)^\s*listen_port\s*=\s*(\d+)")


def identify(folder: str, names: Names) -> Iterator[tuple[str, str]]:
    """Yield which service's data a folder is, and its identity where it has one."""
    if "PG_VERSION" in names and "global" in names:
        yield "postgresql", _postgresql(folder)
    if "grastate.dat" in names or "ibdata1" in names:
        yield "mariadb", _galera(folder) if "grastate.dat" in names else ""
    yield from _in_files(folder, names)
    for kind in parts.table(parts.MARKS):
        mark = parts.function(parts.MARKS, "mark", kind)
        identity = mark(folder, names) if mark is not None else None
        if identity is not None:
            yield kind, identity


def _in_files(folder: str, names: Names) -> Iterator[tuple[str, str]]:
    """Yield what single files are: ProxySQL's database, the configuration of a proxy."""
    for name, kind in names.items():
        path = f"{folder}/{name}"
        if kind != stat.S_IFREG:
            continue
        if name == "proxysql.db":
            yield "proxysql", "its database" if is_sqlite(path) else "a file that is no database"
        elif name.endswith(".cfg") and (found := _ports(_BIND, path)):
            yield "haproxy", found
        elif name == "pgbouncer.ini" and (found := _ports(_LISTEN_PORT, path)):
            yield "pgbouncer", found


def _postgresql(folder: str) -> str:
    version = text(f"{folder}/PG_VERSION").strip()[:8]
    control = begin(f"{folder}/global/pg_control", 8)
    system = str(int.from_bytes(control, "little")) if len(control) == 8 else "?"
    return f"PostgreSQL {version}, system identifier {system}"


def _galera(folder: str) -> str:
    lines = dict(
        line.split(":", 1) for line in text(f"{folder}/grastate.dat").splitlines() if ":" in line
    )
    return f"cluster {lines.get('uuid', '?').strip()[:36]}"


def _ports(pattern: re.Pattern[str], path: str) -> str:
    found = sorted({int(port) for port in pattern.findall(text(path))})
    return f"listens on {', '.join(map(str, found))}" if found else ""


def is_sqlite(path: str) -> bool:
    """Return whether a file is a database of SQLite."""
    return begin(path, 16) == b"SQLite format 3\0"


def begin(path: str, size: int) -> bytes:
    """Return the first bytes of a file; none where it cannot be read."""
    try:
        return opener.head(path, size)
    except OSError:
        return b""


def text(path: str) -> str:
    """Return the text of a small file; none where it cannot be read."""
    return begin(path, HEAD).decode("utf-8", "replace")
