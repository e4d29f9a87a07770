"""How data of PostgreSQL is recognised wherever it lies."""

from __future__ import annotations

from keybuzz.agent.host.data_marks import begin, text


def mark_postgresql(folder: str, names: dict[str, int]) -> str | None:
    """Return version and system identifier; None for a folder that is no data of PostgreSQL."""
    if "PG_VERSION" not in names or "global" not in names:
        return None
    version = text(f"{folder}/PG_VERSION").strip()[:8]
    control = begin(f"{folder}/global/pg_control", 8)
    system = str(int.from_bytes(control, "little")) if len(control) == 8 else "?"
    return f"PostgreSQL {version}, system identifier {system}"
