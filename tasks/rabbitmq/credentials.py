"""The credentials of RabbitMQ in the store (SEC-1). Data only."""

from __future__ import annotations

from keybuzz.site.credentials.schema import Credential

_QUEUED = ("rabbitmq", "haproxy")
"""The HAProxy hosts prove by a login that RabbitMQ is behind them."""

CREDENTIALS = (
    Credential(
        "RABBITMQ_USER",
        "rabbitmq.env",
        "kb_rmq",
        _QUEUED,
        aliases=("RABBITMQ_DEFAULT_USER",),
        weak=frozenset({"guest"}),
    ),
    Credential(
        "RABBITMQ_PASSWORD",
        "rabbitmq.env",
        "",
        _QUEUED,
        aliases=("RABBITMQ_DEFAULT_PASS",),
    ),
    Credential("RABBITMQ_ERLANG_COOKIE", "rabbitmq.env", "", ("rabbitmq",), length=32),
)
