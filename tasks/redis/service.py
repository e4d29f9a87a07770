"""How applications know Redis: its official endpoint, and the words that mean it. Data only."""

from __future__ import annotations

import re

from keybuzz.site.applications.services import Service

SERVICE = Service(
    "Redis",
    "redis",
    (6379,),
    "haproxy",
    frozenset({26379, 16379}),
    frozenset({"redis", "rediss", "valkey", "unix+redis", "redis-sentinel", "sentinel"}),
    re.compile(r"redis\w*|valkey\w*|sentinel"),
)
