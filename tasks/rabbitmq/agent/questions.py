"""What may be asked of RabbitMQ's own programs by a session that only looks (keybuzz.agent.guard.questions)."""

from __future__ import annotations

_ASKS = frozenset(
    {
        ("rabbitmqctl", "-q", "cluster_status", "--formatter", "json"),
        ("rabbitmqctl", "-q", "export_definitions", "-", "--format", "json"),
    }
)


def asks_rabbitmqctl(words: tuple[str, ...]) -> bool:
    """Return whether it only asks, with exactly these words."""
    return words in _ASKS
