"""How data of Qdrant is recognised wherever it lies."""

from __future__ import annotations

import stat


def mark_qdrant(folder: str, names: dict[str, int]) -> str | None:
    """Return the identity of a storage folder, which has none; None for a folder that is no storage."""
    del folder
    state, collections = names.get("raft_state.json"), names.get("collections")
    return "" if state == stat.S_IFREG and collections == stat.S_IFDIR else None
