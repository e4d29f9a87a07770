"""How data of RabbitMQ is recognised wherever it lies."""

from __future__ import annotations

import stat


def mark_rabbitmq(folder: str, names: dict[str, int]) -> str | None:
    """Return the node that a folder of data belongs to; None for a folder that is none."""
    del folder
    nodes = [
        name for name, kind in names.items() if name.startswith("rabbit@") and kind == stat.S_IFDIR
    ]
    return min(nodes, key=len) if nodes else None
