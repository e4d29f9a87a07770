"""What a Redis node must be (module 4: RED-1, RED-4). Pure."""

from __future__ import annotations

from pathlib import Path

from keybuzz.model.core.content import Template
from keybuzz.model.core.reading import DirectoryListing, Reading
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.docker import Bind, Container, Image
from keybuzz.model.host.files import Directory, File
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description
from keybuzz.site.site import Site
from tasks.redis import values
from tasks.redis.formats import FORMATS
from tasks.redis.leftovers import LEFTOVERS
from tasks.redis.service.readings import RedisQuery
from tasks.redis.service.resources import (
    RedisData,
    RedisPassword,
    RedisRuntime,
    RedisSettings,
    SentinelMonitor,
    SentinelRuntime,
)

_TEMPLATES = Path(__file__).parent / "templates"
REDIS_CONF = f"{values.CONFIGURATION}/redis.conf"
_SENTINEL_CONF = f"{values.CONFIGURATION}/sentinel-options.conf"

PRIORITY = ("CONFIG", "GET", "replica-priority")
LEAST = ("CONFIG", "GET", "min-replicas-to-write")
USERS = ("ACL", "LIST")


def describe(site: Site, server: Server) -> Description:
    """Return the description of one node; who is master is no part of it, because that is Sentinel's to say."""
    return Description(
        (
            RedisData(values.DATA, int(FORMATS.newest(site.image("redis")))),
            *_directories(),
            Image(site.image("redis")),
            *_files(site, server),
            *_runtime(site, server),
            *_containers(site, server),
            RedisSettings(values.access(site, server), values.settings(site, server)),
            RedisPassword(values.access(site, server)),
            SentinelMonitor(
                values.access(site, server),
                values.watch(site, server),
                values.sentinel_runtime().path,
            ),
            *LEFTOVERS,
        ),
        _readings(site, server),
    )


def _directories() -> tuple[Resource, ...]:
    return (
        Directory(values.ROOT),
        Directory(f"{values.ROOT}/runtime"),
        *(
            Directory(path, values.UID, values.GID, 0o700)
            for path in (
                values.CONFIGURATION,
                values.DATA,
                values.REDIS_RUNTIME,
                values.SENTINEL_RUNTIME,
            )
        ),
    )


def _files(site: Site, server: Server) -> tuple[Resource, ...]:
    redis = values.RedisValues(values.settings(site, server), values.INSIDE, values.password(site))
    sentinel = values.SentinelValues(str(server.address), values.access(site, server).sentinel_port)
    return (
        File(
            REDIS_CONF,
            Template(_TEMPLATES, "redis.conf.j2", redis),
            values.UID,
            values.GID,
            0o600,
        ),
        File(
            _SENTINEL_CONF,
            Template(_TEMPLATES, "sentinel-options.conf.j2", sentinel),
            values.UID,
            values.GID,
            0o600,
        ),
    )


def _runtime(site: Site, server: Server) -> tuple[Resource, ...]:
    return (
        RedisRuntime(values.redis_runtime()),
        SentinelRuntime(
            values.sentinel_runtime(), values.access(site, server), values.watch(site, server)
        ),
    )


def _containers(site: Site, server: Server) -> tuple[Resource, ...]:
    """Return both containers. No argument says who is master, so that no restart takes a failover back."""
    image = site.image("redis")
    ours = Bind(values.CONFIGURATION, values.CONFIGURATION, read_only=True)
    return (
        Container(
            values.REDIS,
            image,
            # --include on the command line is read last: it cannot be shadowed by what Redis rewrites.
            command=("redis-server", values.redis_runtime().path, "--include", REDIS_CONF),
            binds=(
                ours,
                Bind(values.DATA, values.INSIDE),
                Bind(values.REDIS_RUNTIME, values.REDIS_RUNTIME),
            ),
            hostname=server.name,
            user="redis",
        ),
        Container(
            values.SENTINEL,
            image,
            command=(
                "redis-sentinel",
                f"{values.INSIDE}/sentinel.conf",
                "--include",
                _SENTINEL_CONF,
            ),
            binds=(ours, Bind(values.SENTINEL_RUNTIME, values.INSIDE)),
            hostname=server.name,
            user="redis",
        ),
    )


def _readings(site: Site, server: Server) -> tuple[Reading, ...]:
    reached = values.access(site, server)
    name = values.master_name(site)
    return (
        RedisQuery(
            "redis.node",
            reached.address,
            reached.port,
            (
                ("INFO", "server"),
                ("INFO", "replication"),
                ("INFO", "persistence"),
                PRIORITY,
                LEAST,
                USERS,
            ),
            reached.password,
            reached.former,
        ),
        RedisQuery(
            "redis.sentinel",
            reached.address,
            reached.sentinel_port,
            (
                ("SENTINEL", "MASTERS"),
                ("SENTINEL", "CKQUORUM", name),
                ("SENTINEL", "REPLICAS", name),
            ),
        ),
        DirectoryListing("redis.data", values.DATA),
        DirectoryListing("redis.conf", values.CONFIGURATION),
        DirectoryListing("redis.units", "/etc/systemd/system"),
    )
