"""Commands to a Sentinel, as an operator types them: it listens on its host's private address, and nowhere else."""

from __future__ import annotations

from keybuzz.model.core.live import HostView
from keybuzz.model.core.proposed import on_host
from tasks.redis.service.resources import SentinelMonitor
from tasks.redis.values import SENTINEL


def to_sentinel(view: HostView, *words: str) -> str:
    """Return the line that asks or tells the Sentinel of a host; without -h redis-cli would try 127.0.0.1."""
    port = next(r.access.sentinel_port for r in view.resources if isinstance(r, SentinelMonitor))
    where = ("-h", str(view.server.address), "-p", str(port))
    program = ("docker", "exec", SENTINEL, "redis-cli", *where)
    return on_host(view.server.name, *program, "SENTINEL", *words)
