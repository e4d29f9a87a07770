"""Where older installations keep the credentials of this service (facts/credentials.md). Pure values."""

from __future__ import annotations

from keybuzz.model.host.candidates import Places

_CONF = "/opt/keybuzz/rabbitmq/conf/*.conf"

PLACES = (
    Places(
        "RABBITMQ_USER",
        ("RABBITMQ_DEFAULT_USER", "RABBITMQ_USER"),
        (),
        ((_CONF, r"^\s*default_user\s*=\s*(\S+)"),),
    ),
    Places(
        "RABBITMQ_PASSWORD",
        ("RABBITMQ_DEFAULT_PASS", "RABBITMQ_PASSWORD"),
        (),
        ((_CONF, r"^\s*default_pass\s*=\s*(\S+)"),),
    ),
    Places(
        "RABBITMQ_ERLANG_COOKIE",
        ("RABBITMQ_ERLANG_COOKIE",),
        (),
        (("/opt/keybuzz/rabbitmq/*/.erlang.cookie", r"\A(\S+)\s*\Z"),),
    ),
)
