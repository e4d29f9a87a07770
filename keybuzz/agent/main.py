"""The agent's life: say hello, answer one request after the other, end with the stream."""

from __future__ import annotations

import os
import sys
from _thread import start_new_thread
from importlib import import_module

from keybuzz.agent.host.machine import machine
from keybuzz.agent.runtime import ending, signals
from keybuzz.agent.runtime.channel import Channel
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.runtime.frames import PROTOCOL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    Handler = Callable[[dict[str, Any], Channel], dict[str, Any]]

OPERATIONS = {
    "exec": "keybuzz.agent.runtime.execute",
    "probe": "keybuzz.agent.runtime.probe",
    "apply": "keybuzz.agent.runtime.apply",
    "confirm": "keybuzz.agent.runtime.confirm",
    "hold": "keybuzz.agent.host.hold",
}
"""Operation -> module whose `run(request, channel) -> result` does it; imported on first use."""


def serve() -> NoReturn:
    """Talk on the standard streams until they close. Never returns."""
    channel = Channel(*_take_streams())
    for number in (signals.SIGTERM, signals.SIGHUP):
        signals.signal(number, lambda *_: ending.end(1))
    start_new_thread(channel.read_ahead, ())
    python = sys.version.split()[0]
    hello = {"protocol": PROTOCOL, "pid": os.getpid(), "python": python, "machine": machine()}
    channel.send({"hello": hello})
    while True:
        request = channel.next_request()
        answer = _answer(request, channel)
        try:
            channel.send({"id": request.get("id"), **answer})
        except (TypeError, ValueError) as error:
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


def _answer(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    try:
        return {"result": _handler(request.get("op"))(request, channel)}
    except BaseException as error:  # a handler never ends the agent, not even with SystemExit
        return {"error": describe(error)}


def _handler(operation: object) -> Handler:
    module = OPERATIONS.get(operation) if isinstance(operation, str) else None
    if module is None:
        raise AgentError(f"the agent knows no operation {operation!r}")
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
