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

HEAD = 1 << 16
"""Bytes of a file that are read at most."""
_BIND = re.compile(r"(?m)^\s*(?:bind|listen\s+\S+)\s+(?:\S*:)?(\d+)")


def serving() -> frozenset[str]:
    """Return the kinds that are no data: a configuration, whose identity is the ports that it listens on."""
    return frozenset({"haproxy", *parts.table(parts.SERVING)})


def identify(folder: str, names: Names) -> Iterator[tuple[str, str]]:
    """Yield which service's data a folder is, and its identity where it has one."""
    for name, form in names.items():
        of_proxy = name.endswith(".cfg") and form == stat.S_IFREG
        if of_proxy and (found := ports_in(f"{folder}/{name}", _BIND)):
            yield "haproxy", found
    for table in (parts.MARKS, parts.SERVING):
        for kind in parts.table(table):
            mark = parts.function(table, "mark", kind)
            identity = mark(folder, names) if mark is not None else None
            if identity is not None:
                yield kind, identity


def ports_in(path: str, pattern: re.Pattern[str]) -> str:
    """Return the identity of a configuration; empty where the pattern finds no port in it."""
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
