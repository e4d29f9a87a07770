"""Containers that a drill kills and starts again."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.docker import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context


def _state(query: Query, context: Context) -> Any:
    """Return what Docker says of it now; nothing of one that is not there, which is for who writes to tell."""
    found = context.docker.inspect(query["name"])
    return {} if found is None else found["State"]


def read_container_killed(query: Query, context: Context) -> State:
    """Return whether it runs; that it was killed before does not count."""
    running = bool(_state(query, context).get("Running"))
    return {"present": True, "attributes": {"killed": False, "running": running}}


def write_container_killed(order: Query, context: Context) -> None:
    """Kill its first process, not by Docker: for Docker that is a stop by hand, after which no restart policy acts."""
    process = int(_state(order, context).get("Pid", 0))
    if process <= 1:
        raise AgentError(f"container {order['name']} does not run, so it cannot be killed")
    with suppress(ProcessLookupError):  # it ended by itself just now
        os.kill(process, signal.SIGKILL)


def read_container_started(query: Query, context: Context) -> State:
    """Return whether it runs, and is not about to be started once more by Docker."""
    state = _state(query, context)
    running = bool(state.get("Running") and not state.get("Restarting"))
    return {"present": True, "attributes": {"running": running}}


def write_container_started(order: Query, context: Context) -> None:
    """Start it; Docker says so when it runs already."""
    context.docker.act("POST", f"/containers/{quote(order['name'])}/start")
