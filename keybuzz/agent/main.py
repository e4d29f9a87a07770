"""The agent's life: say hello, answer one request after the other, end with the stream."""

from __future__ import annotations

import os
import sys
from _thread import start_new_thread
from importlib import import_module

from keybuzz.agent.guard import access
from keybuzz.agent.host.machine import machine
from keybuzz.agent.runtime import ending, signals
from keybuzz.agent.runtime.channel import Channel
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.runtime.frames import PROTOCOL, FrameError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    Handler = Callable[[dict[str, Any], Channel], dict[str, Any]]

OPERATIONS = {
    "exec": ("keybuzz.agent.runtime.execute", access.CHANGE),
    "probe": ("keybuzz.agent.runtime.probe", access.LOOK),
    "apply": ("keybuzz.agent.runtime.apply", access.CHANGE),
    "confirm": ("keybuzz.agent.runtime.confirm", access.CHANGE),
    "hold": ("keybuzz.agent.host.hold", access.CHANGE),
    "image": ("keybuzz.agent.runtime.image", access.CHANGE),
}
"""Operation -> module whose `run(request, channel) -> result` does it, imported on first use; and what it needs."""


def serve() -> NoReturn:
    """Talk on the standard streams until they close. Never returns."""
    ending.leave_no_core()
    channel = Channel(*_take_streams())
    for number in (signals.SIGTERM, signals.SIGHUP):
        signals.signal(number, lambda *_: ending.end(1))
    start_new_thread(channel.read_ahead, ())
    here = machine()
    opened = _open(channel, here)
    hello = {"protocol": PROTOCOL, "access": channel.access, "pid": os.getpid()}
    python = sys.version.split()[0]
    channel.send({"hello": {**hello, "python": python, "machine": here, **opened}})
    while True:
        request = channel.next_request()
        answer = _answer(request, channel)
        if "id" not in request:
            continue
        try:
            channel.send({"id": request.get("id"), **answer})
        except (TypeError, ValueError, RecursionError) as error:
            channel.send({"id": request.get("id"), "error": describe(error)})


def describe(error: BaseException) -> dict[str, str]:
    """Return the error answer: the handler's own words, or type, text and place of a fault."""
    if isinstance(error, AgentError):
        return {"what": error.what, "hint": error.hint}
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f" ({os.path.basename(code.co_filename)}:{trace.tb_lineno})"
        trace = trace.tb_next
    return {
        "what": f"{type(error).__name__}: {error}{place}",
        "hint": "the agent did not expect this; report it with the command that you ran",
    }


def _open(channel: Channel, here: dict[str, object]) -> dict[str, object]:
    """Fix how far the session may go: from here on nothing that the controller sends goes further.

    Returns what the greeting says of the lease, when the session is opened with it.
    """
    try:
        terms = channel.opening()
        channel.access = access.parse(terms.get("access"))
    except FrameError as error:
        os.write(2, f"the controller cannot be understood: {error}\n".encode())
        ending.end(1)
    if channel.access != access.CHANGE:
        from keybuzz.agent.guard import looks  # a session that changes needs none of it

        looks.hold_to(channel.access)
        return {}
    lease = terms.get("lease")
    if not isinstance(lease, dict):
        return {}
    from keybuzz.agent.host import hold

    return {"lease": hold.at_opening(lease, here, channel)}


def _answer(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    try:
        return {"result": _handler(request.get("op"), channel.access)(request, channel)}
    except BaseException as error:  # a handler never ends the agent, not even with SystemExit
        return {"error": describe(error)}


def _handler(operation: object, allowed: str) -> Handler:
    found = OPERATIONS.get(operation) if isinstance(operation, str) else None
    if found is None:
        raise AgentError(f"the agent knows no operation {operation!r}")
    module, needed = found
    access.require(allowed, needed, f"`{operation}`")
    run: Handler = import_module(module).run
    return run


def _take_streams() -> tuple[int, int]:
    """Move the conversation off descriptors 0 and 1, where a stray print would break it."""
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return source, sink
