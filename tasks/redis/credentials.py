"""The credentials of Redis and Sentinel in the store (SEC-1). Data only."""

from __future__ import annotations

from keybuzz.site.credentials.schema import Credential

_REDIS = ("redis", "haproxy")
"""The HAProxy hosts ask Redis who is master."""

CREDENTIALS = (
    Credential("REDIS_PASSWORD", "redis.env", "", _REDIS, length=32),
    Credential("REDIS_SENTINEL_PASSWORD", "redis.env", "", _REDIS, length=32),
    Credential("REDIS_MASTER_NAME", "redis.env", "kb-redis-master", _REDIS),
    Credential("REDIS_SENTINEL_QUORUM", "redis.env", "2", _REDIS, most="redis"),
)
