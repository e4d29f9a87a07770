"""Redis for those who use it: endpoint, protocol, credentials and where older ones lie. Data only."""

from __future__ import annotations

import re

from keybuzz.model.host.candidates import Places
from keybuzz.model.reports.drill import WorkloadKind
from keybuzz.site.applications.services import Service
from keybuzz.site.credentials.schema import Credential
from tasks.redis.service.offer import OFFER, PORT

SERVICE = Service(
    "Redis",
    "redis",
    (PORT,),
    "haproxy",
    frozenset({26379, 16379}),
    frozenset({"redis", "rediss", "valkey", "unix+redis", "redis-sentinel", "sentinel"}),
    re.compile(r"redis\w*|valkey\w*|sentinel"),
    offer=OFFER,
)

REDIS = WorkloadKind("redis", "redis", "redis", "tasks.redis.drill.client")
"""What clients speak, also through the entries to the cluster; for drills."""

_REDIS = ("redis", "haproxy")
"""The HAProxy hosts ask Redis who is master."""

CREDENTIALS = (
    Credential("REDIS_PASSWORD", "redis.env", "", _REDIS, length=32),
    Credential("REDIS_SENTINEL_PASSWORD", "redis.env", "", _REDIS, length=32),
    Credential("REDIS_MASTER_NAME", "redis.env", "kb-redis-master", _REDIS),
    Credential("REDIS_SENTINEL_QUORUM", "redis.env", "2", _REDIS, most="redis"),
)

_FILES = (
    "/opt/keybuzz/redis/*.conf",
    "/opt/keybuzz/redis/*/*.conf",
    "/opt/keybuzz/redis/*/*/*.conf",
    "/etc/redis/*.conf",
)
_PASSWORD = r"^\s*(?:requirepass|masterauth|sentinel\s+auth-pass\s+\S+)\s+(\S+)"
_MASTER = r"^\s*sentinel\s+monitor\s+(\S+)"

PLACES = (
    Places(
        "REDIS_PASSWORD",
        ("REDIS_PASSWORD",),
        ("--requirepass", "--masterauth"),
        tuple((path, _PASSWORD) for path in _FILES),
    ),
    Places("REDIS_SENTINEL_PASSWORD", ("REDIS_SENTINEL_PASSWORD",)),
    Places(
        "REDIS_MASTER_NAME", ("REDIS_MASTER_NAME",), (), tuple((path, _MASTER) for path in _FILES)
    ),
)
