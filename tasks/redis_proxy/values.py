"""The settled values of facts/04 and facts/10 for the entry to Redis, typed, and what its files can hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import Secret
from keybuzz.site.site import Site
from tasks.redis_proxy import parameters

GROUP = "haproxy"
REDIS_GROUP = "redis"
HAPROXY = "haproxy-redis"
UID = 99
ROOT = "/opt/keybuzz/redis-lb"
CONFIGURATION = f"{ROOT}/conf"
RUN = f"{ROOT}/run"
SOCKET = f"{RUN}/admin.sock"
WATCHER = f"{ROOT}/watcher"
STATUS = f"{ROOT}/status"
HEARTBEAT = f"{STATUS}/heartbeat.json"
UNIT = "kbz-redis-watcher.service"
PROGRAM = "/usr/local/bin/redis-update-master.sh"
"""The entry point that the owner's notes name (contradiction 13)."""
SOURCES = Path(__file__).parent / "watcher"
TEMPLATES = Path(__file__).parent / "templates"

REDIS_PORT = 6379
SENTINEL_PORT = 26379
BACKEND = "redis-master"
SERVER = "master"
INTERVAL = 1
"""Seconds between two rounds of the watcher."""
DOWN_AFTER = 5
"""Seconds after which Sentinel calls a master down (facts/04): as long the route outlives the loss of the majority."""
STALE_AFTER = 30
"""Seconds after which the watcher's last success is too old."""
_UNHOLDABLE = re.compile("[\\s\"'\\\\\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class HaproxyValues:
    """Every name of haproxy.cfg.j2."""

    max_connections: int
    session_timeout: str
    password: Secret
    mark: str
    """Changes with everything else in the file, so that the running process can tell which one it has read."""
    socket: str = SOCKET
    frontend: str = "redis"
    backend: str = BACKEND
    server: str = SERVER
    port: int = REDIS_PORT


@dataclass(frozen=True, slots=True)
class WatcherValues:
    """Every name of watcher.json.j2."""

    sentinels: tuple[str, ...]
    master_name: str
    password: Secret
    sentinel_port: int = SENTINEL_PORT
    socket: str = SOCKET
    server: str = f"{BACKEND}/{SERVER}"
    heartbeat: str = HEARTBEAT
    interval: int = INTERVAL
    down_after: int = DOWN_AFTER


def haproxy_values(site: Site) -> HaproxyValues:
    """Return the values of haproxy.cfg; they are the same on every host of the group."""
    maximum = str(parameters.MAX_CONNECTIONS.of(site))
    timeout = parameters.SESSION_TIMEOUT.of(site)
    found = password(site)
    text = repr((_template("haproxy.cfg.j2"), maximum, timeout, found.reveal()))
    # Under the site's key: the mark can be read by anyone who may ask HAProxy, and the password is part of it.
    mark = "kbz-" + site.digest_key.digest(text.encode()).rpartition(":")[2][:12]
    return HaproxyValues(int(maximum), timeout, found, mark)


def watcher_values(site: Site) -> WatcherValues:
    """Return the values of watcher.json; they are the same on every host of the group."""
    sentinels = tuple(str(member.address) for member in site.members(REDIS_GROUP))
    return WatcherValues(sentinels, master_name(site), password(site))


def master_name(site: Site) -> str:
    """Return the one name of the master (contradiction 30)."""
    return site.secret("REDIS_MASTER_NAME").reveal()


def password(site: Site) -> Secret:
    """Return the password; InputError for one that HAProxy's check could not send."""
    found = site.secret("REDIS_PASSWORD")
    if _UNHOLDABLE.search(found.reveal()):
        raise InputError(
            "REDIS_PASSWORD holds a space, a quote, a backslash or a control character; "
            "HAProxy's check cannot send it",
            where=f"{site.settings.credentials}/redis.env",
            hint="choose one without them",
        )
    return found


@lru_cache(maxsize=4)
def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


@lru_cache(maxsize=4)
def source(name: str) -> str:
    """Return a file of the watcher as it is: nothing in a program is a template."""
    return (SOURCES / name).read_text(encoding="utf-8")
