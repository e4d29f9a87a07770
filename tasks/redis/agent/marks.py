"""How data of Redis, and Sentinel's state, are recognised wherever they lie."""

from __future__ import annotations

import stat

from keybuzz.agent.host.data_marks import begin, text


def mark_redis(folder: str, names: dict[str, int]) -> str | None:
    """Return the format of the data in a folder; None for a folder that holds none."""
    return _version(folder, names) or None


def mark_sentinel(folder: str, names: dict[str, int]) -> str | None:
    """Return what the last Sentinel there monitors; None for a folder without a Sentinel's state."""
    found = None
    for name, kind in names.items():
        if kind == stat.S_IFREG and name.endswith(".conf") and "sentinel" in name:
            found = _monitored(f"{folder}/{name}") or found
    return found


def _version(folder: str, names: dict[str, int]) -> str:
    """Return the newest format among RDB files and append-only files; empty for none."""
    versions = []
    for name, kind in names.items():
        if kind == stat.S_IFREG and name.endswith((".rdb", ".aof")):
            head = begin(f"{folder}/{name}", 9)
            if head[:5] == b"REDIS" and head[5:].isdigit():
                versions.append(int(head[5:]))
            elif name.endswith(".aof") and head[:1] == b"*":
                versions.append(0)
    if "appendonlydir" in names or any(name.endswith(".aof.manifest") for name in names):
        versions.append(0)
    if not versions:
        return ""
    return f"RDB {max(versions)}" if max(versions) else "an append-only file"


def _monitored(path: str) -> str:
    for line in text(path).splitlines():
        words = line.split()
        if words[:2] == ["sentinel", "monitor"] and len(words) > 3:
            return f"monitors {words[2]} at {words[3]}"
    return ""
