"""The settled values of facts/05 and facts/10 for HAProxy in front of RabbitMQ, typed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from keybuzz.site.site import Site
from tasks.rabbitmq_proxy import parameters

GROUP = "haproxy"
QUEUE_GROUP = "rabbitmq"
CONTAINER = "haproxy-rabbitmq"
UID = 99
ROOT = "/opt/keybuzz/rabbitmq-lb"
CONFIGURATION = f"{ROOT}/conf"
RUN = f"{ROOT}/run"
SOCKET = f"{RUN}/admin.sock"
TEMPLATES = Path(__file__).parent / "templates"
PORT = 5672
FRONTEND = "amqp"
BACKEND = "rabbitmq_nodes"
CLUSTER = "keybuzz-queue"
SESSION_TIMEOUT = "1h"
"""Twenty and more heartbeats of 60 s: with less than three, idle consumers were cut (facts/05)."""


@dataclass(frozen=True, slots=True)
class HaproxyValues:
    """Every name of haproxy.cfg.j2. It holds no secret."""

    max_connections: int
    members: tuple[tuple[str, str], ...]
    """Name and address of each node."""
    mark: str = ""
    """Changes with everything else in the file, so that the running process can tell which one it has read."""
    session_timeout: str = SESSION_TIMEOUT
    socket: str = SOCKET
    frontend: str = FRONTEND
    backend: str = BACKEND
    port: int = PORT


def haproxy_values(site: Site) -> HaproxyValues:
    """Return the values of haproxy.cfg; they are the same on every host of the group."""
    members = tuple((item.name, str(item.address)) for item in site.members(QUEUE_GROUP))
    maximum = parameters.MAX_CONNECTIONS.of(site)
    seed = repr((_template(), members, str(maximum), SESSION_TIMEOUT))
    mark = f"kbz-{hashlib.sha256(seed.encode()).hexdigest()[:12]}"
    return HaproxyValues(maximum, members, mark)


@lru_cache(maxsize=1)
def _template() -> str:
    return (TEMPLATES / "haproxy.cfg.j2").read_text(encoding="utf-8")
