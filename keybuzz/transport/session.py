"""A conversation with the agent on one host: requests, one at a time, each with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from keybuzz.agent.runtime.frames import (
    BYTES,
    HEADER_SIZE,
    PREFIXES,
    PROTOCOL,
    FrameError,
    json_frame,
    parse_header,
    parse_json,
)
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import ContactError, StepError
from keybuzz.transport.bundle import preamble
from keybuzz.transport.identity import Machine
from keybuzz.transport.stream import DeadlineError, Stream, StreamError
from keybuzz.transport.upload import Upload

OnEvent = Callable[[dict[str, Any]], object]
OnBytes = Callable[[bytes], object]
OnOutput = Callable[[str, bytes], object]
Hide = Callable[[Any], Any]
"""Returns a value of JSON without the secrets that stand in its texts."""

ANSWER_MARGIN = 6.0
"""Seconds for a host to report that a command ran out of its time: TERM, KILL, and the way back."""

OLDEST_PYTHON = (3, 10)
_NEEDED = "the host needs python3, version 3.10 or newer (`python` in its connection options)"
_STREAM_NAMES = {prefix: name for name, prefix in PREFIXES.items()}


@dataclass(frozen=True, slots=True)
class Execution:
    """How a command ended. `exit_code` is negative for a signal; streamed output is not kept."""

    exit_code: int
    stdout: str
    stderr: str
    timed_out: bool


@dataclass(frozen=True, slots=True)
class Greeting:
    """What an agent says of itself."""

    pid: int
    python: str
    machine: Machine

    @property
    def version(self) -> tuple[int, ...]:
        """Major and minor version of the host's Python."""
        return tuple(int(part) for part in self.python.split(".")[:2])


class Session:
    """Requests to the agent of one host.

    After a lost link or a passed deadline the session is `broken`: the agent ends, and with it all
    that it started; each later request raises ContactError at once. A new session needs a new link.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        where: str,
        timeout: float,
        access: Access,
        hide: Hide = lambda value: value,
    ) -> None:
        """Feed the agent to its loader at the other end of `stream`, and wait for its greeting.

        The agent refuses whatever goes further than `access`, for as long as the session lives.
        Every text that comes from the host goes through `hide`: a program there may print what it was given.
        """
        self.where = where
        self.access = access
        self.broken = False
        self._stream = stream
        self._hide = hide
        self._turn = Lock()
        self._last_id = 0
        try:
            self.agent = self._start(time.monotonic() + timeout)
        except BaseException:
            self.close()
            raise

    @property
    def requests(self) -> int:
        """Round trips so far."""
        return self._last_id

    def request(
        self,
        op: str,
        payload: Mapping[str, object],
        *,
        timeout: float,
        on_event: OnEvent | None = None,
        on_bytes: OnBytes | None = None,
        upload: Iterable[bytes] = (),
    ) -> dict[str, Any]:
        """Ask for one operation and return its result. Callbacks run in this thread.

        StepError: the host says that it did not work; the session stays usable. ContactError: no
        answer within `timeout` seconds, or the link is lost; `inside_step` tells whether the
        request had been sent. Any other exception (of a callback, of `upload`, Ctrl-C) passes
        through; it ends the session too, and the work on the host with it.
        """
        deadline = time.monotonic() + timeout
        if not self._turn.acquire(timeout=timeout):
            raise ContactError(f"{op} waited {timeout:g} s for another request", where=self.where)
        try:
            if self.broken:
                raise ContactError("the connection was lost before", where=self.where)
            self._last_id += 1
            head = {"id": self._last_id, "op": op, **({"upload": True} if upload else {})}
            frame = json_frame({**payload, **head})
            call = _Call(op, self._last_id, deadline, on_event, on_bytes)
            return self._exchange(call, frame, upload)
        finally:
            self._turn.release()

    def execute(
        self,
        argv: Sequence[str],
        stdin: str | None = None,
        *,
        timeout: float = 60.0,
        env: Mapping[str, str] | None = None,
        on_output: OnOutput | None = None,
        upload: Iterable[bytes] = (),
    ) -> Execution:
        """Run a command on the host for at most `timeout` seconds, without a shell.

        Its standard input is `stdin`, or else what `upload` yields. Output is collected as text
        (bytes that are not UTF-8 are replaced), or handed to `on_output("stdout" | "stderr", data)`
        as it comes, and then not kept. A command that can not be started raises StepError.
        """
        collected: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        take = on_output or (lambda name, data: collected[name].append(data))
        payload = {"argv": list(argv), "stdin": stdin, "timeout": timeout, "env": dict(env or {})}
        result = self.request(
            "exec",
            payload,
            timeout=timeout + ANSWER_MARGIN,
            on_bytes=lambda data: take(_STREAM_NAMES[data[:1]], data[1:]),
            upload=upload,
        )
        stdout, stderr = (
            str(self._hide(b"".join(pieces).decode(errors="replace")))
            for pieces in collected.values()
        )
        return Execution(result["exit_code"], stdout, stderr, result["timed_out"])

    def close(self) -> None:
        """End the agent, and with it all that it started. May be called from any thread."""
        self.broken = True
        self._stream.close()

    def _start(self, deadline: float) -> Greeting:
        try:
            opening = json_frame({"open": {"access": self.access.value}})
            self._stream.write(preamble() + opening, deadline)
            _, payload = self._read_frame(deadline)
            greeting = _greeting(parse_json(payload), self.access)
        except FrameError as error:
            raise ContactError(
                f"the agent did not greet: {error}",
                where=self.where,
                hint="login scripts of this user must print nothing for commands (see ~/.bashrc)",
            ) from error
        except StreamError as error:
            raise ContactError(
                f"the agent could not be started: {error}",
                where=self.where,
                hint=_NEEDED,
            ) from error
        if greeting.version < OLDEST_PYTHON:
            raise ContactError(
                f"the host runs Python {greeting.python}, which is too old",
                where=self.where,
                hint=_NEEDED,
            )
        return greeting

    def _exchange(self, call: _Call, frame: bytes, source: Iterable[bytes]) -> dict[str, Any]:
        upload: Upload | None = None
        sent = False
        try:
            self._stream.write(frame, call.deadline)
            sent = True
            upload = Upload(self._stream, source, call.deadline) if source else None
            answer = self._answer(call)
            if upload:
                upload.finish()
        except (StreamError, FrameError) as error:
            self.close()
            if upload and upload.error:
                raise upload.error from error
            raise self._lost(call, error, inside_step=sent) from error
        except BaseException:
            self.close()
            raise
        if "error" in answer:
            raise StepError(
                answer["error"]["what"], where=self.where, hint=answer["error"].get("hint", "")
            )
        result: dict[str, Any] = answer["result"]
        return result

    def _answer(self, call: _Call) -> dict[str, Any]:
        """Hand on events and bytes until the one answer comes."""
        while True:
            kind, payload = self._read_frame(call.deadline)
            if kind == BYTES:
                if call.on_bytes:
                    call.on_bytes(payload)
                continue
            message = parse_json(payload)
            if message.get("id") != call.number:
                raise FrameError(f"an answer to request {message.get('id')} came")
            shown: dict[str, Any] = self._hide(message)
            if "event" not in shown:
                return shown
            if call.on_event:
                call.on_event(shown["event"])

    def _read_frame(self, deadline: float) -> tuple[bytes, bytes]:
        kind, length = parse_header(self._stream.read_exactly(HEADER_SIZE, deadline))
        return kind, self._stream.read_exactly(length, deadline)

    def _lost(self, call: _Call, error: Exception, *, inside_step: bool) -> ContactError:
        if isinstance(error, DeadlineError):
            what = f"{call.op} was not answered in time"
        else:
            what = f"contact was lost during {call.op}: {self._hide(str(error))}"
        hint = "run the same command again: it reads the state of the host first"
        return ContactError(what, where=self.where, hint=hint, inside_step=inside_step)


def _greeting(message: dict[str, Any], access: Access) -> Greeting:
    hello = message.get("hello", {})
    if hello.get("protocol") != PROTOCOL:
        raise FrameError(f"protocol {PROTOCOL} was expected, {message} came")
    if hello.get("access") != access.value:
        raise FrameError(f"a session with access `{access.value}` was expected, {message} came")
    try:
        machine = Machine.parse(hello.get("machine", {}))
    except ValueError as error:
        raise FrameError(f"the machine does not say which one it is: {error}") from error
    return Greeting(hello["pid"], hello["python"], machine)


@dataclass(frozen=True, slots=True)
class _Call:
    """One request on its way."""

    op: str
    number: int
    deadline: float
    on_event: OnEvent | None
    on_bytes: OnBytes | None
