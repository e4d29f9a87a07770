"""Answers to readings (keybuzz.model.core.reading): what checks want to know."""

from __future__ import annotations

import sys
import time

from keybuzz.agent import parts
from keybuzz.agent.guard import access, opener
from keybuzz.agent.guard.marks import is_secret_file
from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from keybuzz.agent.runtime.context import Context


_LARGEST_ANSWER = 1 << 20
_LARGEST_NUMBER = 2**63
_DEEPEST = 24
"""Lists and objects inside each other; the controller takes a few more, around it."""


def answer(query: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return {"value": …} or {"problem": why}, which may be that the session must not go so far."""
    kind = query["kind"]
    if (far := needed(kind)) != access.LOOK:
        try:
            access.require(context.channel.access, far, f"the reading `{kind}`")
        except AgentError as error:
            return {"problem": error.what}
    if why := context.silence.of(query):
        return {"problem": why}
    return _caught(
        lambda: _read(kind, query, context), lambda error: context.silence.note(query, error)
    )


def needed(kind: str) -> str:
    """Return how far a session must go to be answered a reading of this kind.

    Those here only look. What goes further and does not say so is stopped where it writes (keybuzz.agent.guard.looks).
    """
    _, far = parts.table(parts.NOT_ONLY_LOOKS).get(kind, ("", access.LOOK))
    return str(far)


def ask(query: dict[str, Any]) -> dict[str, Any]:
    """Answer a reading that only asks a service over the network, from wherever this runs."""
    return _caught(lambda: _over_the_network(query["kind"])(query), lambda error: None)


def kinds() -> frozenset[str]:
    """Return every kind of reading that there is."""
    of_modules = (*parts.table(parts.NETWORK), *parts.table(parts.HOST))
    return frozenset({*_NETWORK, *_HOST, *of_modules})


def _read(kind: str, query: dict[str, Any], context: Context) -> Any:
    if kind in _HOST:
        return _HOST[kind](query, context)
    if kind not in _NETWORK and (found := parts.function(parts.HOST, "answer", kind)):
        return found(query, context)
    return _over_the_network(kind)(query)


def _over_the_network(kind: str) -> Any:
    if found := _NETWORK.get(kind) or parts.function(parts.NETWORK, "answer", kind):
        return found
    raise AgentError(f"this agent does not know readings of kind {kind}", "update kbz")


def _caught(read: Callable[[], Any], note: Callable[[Exception], None]) -> dict[str, Any]:
    """Return what was read; whatever a daemon answers, only this one reading has the problem."""
    try:
        value = read()
        _require_plain(value)
    except AgentError as error:
        note(error)
        return {"problem": error.what}
    except (OSError, ValueError) as error:
        note(error)
        return {"problem": str(error)}
    except Exception as error:
        return {"problem": f"the answer is not understood: {type(error).__name__}: {error}"}
    return {"value": value}


def _require_plain(value: Any) -> None:
    """Raise AgentError for a value that the controller would not take: too long, too deep, or of odd numbers."""
    left, level = _LARGEST_ANSWER, [value]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                left -= len(item)
            elif isinstance(item, dict):
                below += (*item, *item.values())
            elif isinstance(item, list | tuple):
                below += item
            elif isinstance(item, int | float) and not abs(item) < _LARGEST_NUMBER:
                raise AgentError("the answer holds a number that is too large, or none")
        left -= len(below)
        if left < 0:
            raise AgentError(f"the answer is longer than {_LARGEST_ANSWER >> 20} MiB")
        if not below:
            return
        level = below
    raise AgentError(f"the answer is nested more than {_DEEPEST} deep")


def _http(query: dict[str, Any]) -> Any:
    from keybuzz.agent.wire import http

    response = http.request_url("GET", query["url"], 3.0)
    return {"status": response.status, "json": response.json()}


def _command(query: dict[str, Any], context: Context) -> Any:
    done = run_child(query["argv"], timeout=query["timeout"], limit=_LARGEST_ANSWER)
    if done.timed_out:
        raise AgentError(f"{query['argv'][0]} did not end within {query['timeout']:g} s", "")
    return {
        "exit_code": done.exit_code,
        "stdout": done.stdout.decode(errors="replace"),
        "stderr": done.stderr.decode(errors="replace"),
    }


def _container_command(query: dict[str, Any], context: Context) -> Any:
    code, stdout, stderr = context.docker.execute(
        query["container"], query["argv"], timeout=query["timeout"]
    )
    return {
        "exit_code": code,
        "stdout": stdout.decode(errors="replace"),
        "stderr": stderr.decode(errors="replace"),
    }


def _container_log(query: dict[str, Any], context: Context) -> Any:
    container = context.docker.inspect(query["container"])
    if container is None:
        raise AgentError(f"there is no container {query['container']}", "")
    stdout, stderr = context.docker.log(query["container"], query["lines"])
    return {
        "restarts": container["RestartCount"],
        "stdout": stdout.decode(errors="replace"),
        "stderr": stderr.decode(errors="replace"),
    }


def _listing(query: dict[str, Any], context: Context) -> Any:
    try:
        return {"there": True, "names": opener.names(query["path"])[:200]}
    except FileNotFoundError:
        return {"there": False, "names": []}


def _text(query: dict[str, Any], context: Context) -> Any:
    head = opener.head(query["path"], 65536, final=True)
    text = head.decode("utf-8", "replace")
    return {"text": context.mark(text) if is_secret_file(query["path"]) else text}


def _secret_copies(query: dict[str, Any], context: Context) -> Any:
    from keybuzz.agent.readings.secret_copies import find_copies

    return find_copies(query, context)


def _socket(query: dict[str, Any], context: Context) -> Any:
    from keybuzz.agent.wire import http

    sys.audit("kbz.socket", query["question"])
    until = time.monotonic() + query["timeout"]
    blocks, size = [], 0
    with http.connect_unix(query["path"], query["timeout"]) as connection:
        connection.sendall(query["question"].encode() + b"\n")
        while block := http.receive(connection, until):
            blocks.append(block)
            size += len(block)
            if size > _LARGEST_ANSWER:
                raise AgentError(f"the answer on {query['path']} never ends")
    return {"text": b"".join(blocks).decode(errors="replace")}


def _tcp_ports(query: dict[str, Any], context: Context) -> Any:
    from keybuzz.agent.readings.tcp_ports import find_ports, tally

    return find_ports(query, context.once("tcp ports", tally))


def _system(query: dict[str, Any], context: Context) -> Any:
    from keybuzz.agent.readings.system_look import look

    return look(query, context)


def _strays(query: dict[str, Any], context: Context) -> Any:
    from keybuzz.agent.readings import strays  # only drift looks for them

    return strays.sweep(query, context)


def _data_sweep(query: dict[str, Any], context: Context) -> Any:
    from keybuzz.agent.host import data_sweep  # only before a first change

    return data_sweep.sweep(query, context)


def _readiness(query: dict[str, Any], context: Context) -> Any:
    from keybuzz.agent.host import readiness  # only preflight asks

    return readiness.look(query, context)


def _candidates(query: dict[str, Any], context: Context) -> Any:
    from keybuzz.agent.host import candidates  # only `kbz adopt --take-credentials` asks

    return candidates.find(query, context)


def _programs(query: dict[str, Any], context: Context) -> Any:
    from keybuzz.agent.host import programs  # only `kbz bundle` asks

    return programs.look(context)


def _log_end(query: dict[str, Any], context: Context) -> Any:
    from keybuzz.agent.host import programs

    return programs.log_end(query, context)


_NETWORK = {
    "http": _http,
}
"""What needs nothing of the host that it runs on."""

_HOST = {
    "command": _command,
    "container-command": _container_command,
    "container-log": _container_log,
    "listing": _listing,
    "text": _text,
    "secret-copies": _secret_copies,
    "socket": _socket,
    "tcp-ports": _tcp_ports,
    "system": _system,
    "strays": _strays,
    "data-sweep": _data_sweep,
    "credential-candidates": _candidates,
    "readiness": _readiness,
    "programs": _programs,
    "log-end": _log_end,
}
