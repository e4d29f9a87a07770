"""The settled values of facts/04, typed: what templates, description and rollout share."""

from __future__ import annotations

import re
from dataclasses import dataclass

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import Secret
from keybuzz.model.inventory.server import Server
from keybuzz.site.site import Site
from tasks.redis import parameters
from tasks.redis.service.resources import RedisAccess, RuntimeFile, SentinelWatch, Settings

GROUP = "redis"
REDIS = "redis"
SENTINEL = "redis-sentinel"
UID = 999
GID = 1000
"""User and group `redis` of the image."""
PORT = 6379
ROOT = "/opt/keybuzz/redis"
CONFIGURATION = f"{ROOT}/conf"
"""What only kbz writes: mounted read-only. The legacy sentinel.conf lies here too and is never touched."""
DATA = f"{ROOT}/data"
REDIS_RUNTIME = f"{ROOT}/runtime/redis"
SENTINEL_RUNTIME = f"{ROOT}/runtime/sentinel"
"""Directories, because the daemons rename a new file over the old one: a mounted file would be "busy"."""
INSIDE = "/data"
"""Where the image declares a volume: something of ours must lie there, or Docker puts an anonymous one."""
DOWN_AFTER = 5
FAILOVER_TIMEOUT = 60
"""Seconds."""
_WATCHED: Settings = (
    ("down-after-milliseconds", str(DOWN_AFTER * 1000)),
    ("parallel-syncs", "1"),
    ("failover-timeout", str(FAILOVER_TIMEOUT * 1000)),
)
_UNITS = {"": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
_UNHOLDABLE = re.compile(r"[\s\"'\\]")


@dataclass(frozen=True, slots=True)
class RedisValues:
    """Every name of redis.conf.j2."""

    settings: Settings
    data: str
    password: Secret


@dataclass(frozen=True, slots=True)
class SentinelValues:
    """Every name of sentinel-options.conf.j2."""

    address: str
    port: int


def settings(site: Site, server: Server) -> Settings:
    """Return what is settled for Redis, as CONFIG GET answers it."""
    replicas = parameters.MIN_REPLICAS.of(site)
    # As deployed nothing is said of it, so that 0 changes no file.
    least = (("min-replicas-to-write", str(replicas)),) if replicas else ()
    return (
        *least,
        ("bind", str(server.address)),
        ("port", str(PORT)),
        ("appendonly", "yes"),
        ("appendfsync", "everysec"),
        ("save", "900 1 300 10"),
        ("maxmemory", str(_bytes(parameters.MAXMEMORY.of(site)))),
        ("maxmemory-policy", "allkeys-lru"),
    )


def access(site: Site, server: Server) -> RedisAccess:
    """Return how a node is reached."""
    return RedisAccess(
        str(server.address),
        password(site),
        former=site.former.get("REDIS_PASSWORD"),
        file=redis_runtime().path,
    )


def watch(site: Site, server: Server) -> SentinelWatch:
    """Return what a node's Sentinel must know; the quorum is one number for all."""
    return SentinelWatch(
        master_name(site),
        int(site.secret("REDIS_SENTINEL_QUORUM").reveal()),
        _WATCHED,
        str(server.address),
    )


def master_name(site: Site) -> str:
    """Return the one name of the master: kb-redis-master (contradiction 30)."""
    return site.secret("REDIS_MASTER_NAME").reveal()


def password(site: Site) -> Secret:
    """Return the password; InputError for one that Sentinel could not read back from its own file."""
    found = site.secret("REDIS_PASSWORD")
    if _UNHOLDABLE.search(found.reveal()):
        raise InputError(
            "REDIS_PASSWORD holds a space, a quote or a backslash; Sentinel writes it without quotes and could "
            "not start again",
            where=f"{site.settings.credentials}/redis.env",
            hint="choose one without them",
        )
    return found


def redis_runtime() -> RuntimeFile:
    """Return the file that Redis rewrites: replicaof, and what was set while it ran."""
    return RuntimeFile(f"{REDIS_RUNTIME}/redis.conf", UID, GID, REDIS)


def sentinel_runtime() -> RuntimeFile:
    """Return the file that Sentinel rewrites: who is master, myid, known-*."""
    return RuntimeFile(f"{SENTINEL_RUNTIME}/sentinel.conf", UID, GID, SENTINEL)


def size_of(live: str) -> str:
    """Return a live number of bytes as site.yaml has sizes: in whole mebibytes where it is of such."""
    if not live.isdigit() or int(live) == 0 or int(live) % (1 << 20):
        return live
    return f"{int(live) >> 20}mb"


def _bytes(text: str) -> int:
    number = text.rstrip("kKmMgGbB")
    return int(number) * _UNITS[text[len(number) :].lower()]
