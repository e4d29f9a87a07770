"""How data of MinIO is recognised wherever it lies."""

from __future__ import annotations

from keybuzz.agent.host.data_marks import text
from keybuzz.agent.wire.json_text import loads


def mark_minio(folder: str, names: dict[str, int]) -> str | None:
    """Return the deployment that a drive belongs to; None for a folder that is no drive."""
    return _deployment(folder) if ".minio.sys" in names else None


def _deployment(folder: str) -> str:
    try:
        found = loads(text(f"{folder}/.minio.sys/format.json"))
    except ValueError:
        return "without a format.json"
    return f"deployment {str(found.get('id', '?'))[:36]}" if isinstance(found, dict) else "?"
