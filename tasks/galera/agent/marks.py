"""How data of MariaDB is recognised wherever it lies."""

from __future__ import annotations

from keybuzz.agent.host.data_marks import text


def mark_mariadb(folder: str, names: dict[str, int]) -> str | None:
    """Return the cluster, and nothing for a server without one; None for a folder that is no data of MariaDB."""
    if "grastate.dat" not in names:
        return "" if "ibdata1" in names else None
    lines = dict(
        line.split(":", 1) for line in text(f"{folder}/grastate.dat").splitlines() if ":" in line
    )
    return f"cluster {lines.get('uuid', '?').strip()[:36]}"
