"""A conversation with the agent on one host: requests, one at a time, each with a deadline."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from keybuzz.agent.runtime.frames import (
    BYTES,
    HEADER_SIZE,
    PREFIXES,
    PROTOCOL,
    REPLY_LIMIT,
    FrameError,
    json_frame,
    parse_header,
)
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import ContactError, StepError
from keybuzz.transport.bundle import WANTS_SOURCES, preamble, sources
from keybuzz.transport.identity import Machine
from keybuzz.transport.kept import KEPT, Output
from keybuzz.transport.replies import (
    ExecReply,
    Failure,
    Hello,
    HoldReply,
    Limits,
    ReplyError,
    StepEvent,
    TooLargeError,
    read,
    shaped,
)
from keybuzz.transport.said.wire import timed
from keybuzz.transport.signs import SignsOfLife
from keybuzz.transport.stream import DeadlineError, Stream, StreamError
from keybuzz.transport.upload import Upload

OnEvent = Callable[[StepEvent], object]
OnBytes = Callable[[bytes], object]
OnOutput = Callable[[str, bytes], object]
Hide = Callable[[Any], Any]
"""Returns a value of JSON without the secrets that stand in its texts."""
Reply = TypeVar("Reply")

WHOLE = Limits()
ANSWER_MARGIN = 6.0
"""Seconds for a host to report that a command ran out of its time: TERM, KILL, and the way back."""

OLDEST_PYTHON = (3, 10)
_NEEDED = "the host needs python3, version 3.10 or newer (`python` in its connection options)"
_STREAM_NAMES = {prefix: name for name, prefix in PREFIXES.items()}
_VERSION = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}(?![0-9])")


@dataclass(frozen=True, slots=True)
class Execution:
    """How a command ended. `exit_code` is negative for a signal; streamed output is not kept."""

    exit_code: int
    stdout: str
    stderr: str
    timed_out: bool
    left_out: int = 0
    """Bytes of output that were counted and not kept."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What an agent says of itself."""

    pid: int
    python: str
    machine: Machine
    lease: HoldReply | None = None
    """What it says of the host's lease, when it was asked to take it."""

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
        lease: Mapping[str, object] | None = None,
    ) -> None:
        """Feed the agent to its loader at the other end of `stream`, and wait for its greeting.

        The agent refuses whatever goes further than `access`, for as long as the session lives.
        Every text that comes from the host goes through `hide`: a program there may print what it was given.
        With the terms of a `lease` the agent takes it before it greets, if it is the machine that they mean.
        """
        self.where = where
        self.access = access
        self.broken = False
        self._stream = stream
        self._hide = hide
        self._turn = Lock()
        self._last_id = 0
        self._signs: SignsOfLife | None = None
        self._sent = self._received = 0
        try:
            with timed(where, "start", self._exchanged):
                self.agent = self._start(time.monotonic() + timeout, lease)
            self.lease = self.agent.lease
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
        shape: type[Reply],
        *,
        timeout: float,
        on_event: OnEvent | None = None,
        on_bytes: OnBytes | None = None,
        upload: Iterable[bytes] = (),
        limits: Limits = WHOLE,
    ) -> Reply:
        """Ask for one operation and return its result as `shape`. Callbacks run in this thread.

        StepError: the host says that it did not work; the session stays usable. ContactError: no
        answer within `timeout` seconds, one that is not of its shape, or the link is lost;
        `inside_step` tells whether the request had been sent. Any other exception (of a callback, of
        `upload`, Ctrl-C) passes through; it ends the session too, and the work on the host with it.
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
            call = _Call(op, self._last_id, deadline, on_event, on_bytes, limits)
            with timed(self.where, op, self._exchanged):
                return self._exchange(call, frame, upload, shape)
        finally:
            self._turn.release()

    def tell(self, op: str, payload: Mapping[str, object], *, timeout: float) -> None:
        """Send a request that is not answered: no round trip. ContactError when it cannot be sent."""
        deadline = time.monotonic() + timeout
        if self.broken or not self._turn.acquire(timeout=timeout):
            raise ContactError(f"{op} could not be sent", where=self.where)
        try:
            self._stream.write(json_frame({**payload, "op": op}), deadline)
        except StreamError as error:
            self.close()
            raise ContactError(f"{op} could not be sent: {error}", where=self.where) from error
        finally:
            self._turn.release()

    def hide_by(self, hide: Hide) -> None:
        """Let every text that comes from now on go through another `hide`."""
        self._hide = hide

    def give_signs(self, seconds: float) -> None:
        """Give the agent a sign of life each so many seconds, from now on until the session ends."""
        if self._signs is None:
            self._signs = SignsOfLife(self._stream, seconds)

    def execute(
        self,
        argv: Sequence[str],
        stdin: str | None = None,
        *,
        timeout: float = 60.0,
        env: Mapping[str, str] | None = None,
        on_output: OnOutput | None = None,
        upload: Iterable[bytes] = (),
        keep: int = KEPT,
    ) -> Execution:
        """Run a command on the host for at most `timeout` seconds, without a shell.

        Its standard input is `stdin`, or else what `upload` yields. Output is collected as text
        (bytes that are not UTF-8 are replaced), the first `keep` bytes of each stream, or handed to
        `on_output("stdout" | "stderr", data)` as it comes, and then not kept. A command that cannot
        be started raises StepError.
        """
        output = Output(keep)
        take = on_output or output.take
        payload = {"argv": list(argv), "stdin": stdin, "timeout": timeout, "env": dict(env or {})}
        result = self.request(
            "exec",
            payload,
            ExecReply,
            timeout=timeout + ANSWER_MARGIN,
            on_bytes=lambda data: take(_stream_of(data), data[1:]),
            upload=upload,
        )
        stdout, stderr = (str(self._hide(output.text(name))) for name in PREFIXES)
        return Execution(result.exit_code, stdout, stderr, result.timed_out, output.left_out)

    def misspoke(self, why: str) -> ContactError:
        """Return the error for a reply that is well formed and answers something else; the session is over."""
        self.close()
        return ContactError(f"its reply cannot be used: {why}", where=self.where, inside_step=True)

    def close(self) -> None:
        """End the agent, and with it all that it started. May be called from any thread."""
        self.broken = True
        if self._signs is not None:
            self._signs.end()
        self._stream.close()

    def _exchanged(self) -> tuple[int, int]:
        """Return the bytes of frames that were sent and received; what an upload sends is not counted."""
        return self._sent, self._received

    def _write(self, data: bytes, deadline: float) -> None:
        self._stream.write(data, deadline)
        self._sent += len(data)

    def _start(self, deadline: float, lease: Mapping[str, object] | None) -> Greeting:
        terms = {"access": self.access.value, **({"lease": dict(lease)} if lease else {})}
        try:
            greeting = _greeting(self._hello(json_frame({"open": terms}), deadline), self.access)
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

    def _hello(self, opening: bytes, deadline: float) -> dict[str, Any]:
        """Send the agent and the frame that opens the session; once more as sources, when the host asks for those."""
        self._write(preamble() + opening, deadline)
        _, payload = self._read_frame(deadline)
        message = read(payload)
        if message != WANTS_SOURCES:
            return message
        self._write(sources() + opening, deadline)
        _, payload = self._read_frame(deadline)
        return read(payload)

    def _exchange(
        self, call: _Call, frame: bytes, source: Iterable[bytes], shape: type[Reply]
    ) -> Reply:
        upload: Upload | None = None
        sent = False
        try:
            self._write(frame, call.deadline)
            sent = True
            upload = Upload(self._stream, source, call.deadline) if source else None
            result = _result(self._answer(call), shape)
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
        if isinstance(result, Failure):
            raise StepError(result.what, where=self.where, hint=result.hint)
        return result

    def _answer(self, call: _Call) -> dict[str, Any]:
        """Hand on events and bytes until the one answer comes."""
        while True:
            kind, payload = self._read_frame(call.deadline, call.limits.size)
            if kind == BYTES:
                if call.on_bytes:
                    call.on_bytes(payload)
                continue
            message = read(payload, call.limits.parts)
            number = message.get("id")
            if type(number) is not int or number != call.number:
                raise ReplyError(f"an answer to request {number!r:.40} came")
            shown: dict[str, Any] = self._hide(message)
            if "event" not in shown:
                return shown
            event = shaped(shown["event"], StepEvent)
            if call.on_event:
                call.on_event(event)

    def _read_frame(self, deadline: float, longest: int = REPLY_LIMIT) -> tuple[bytes, bytes]:
        header = self._stream.read_exactly(HEADER_SIZE, deadline)
        kind, length = parse_header(header, longest=REPLY_LIMIT)
        if length > longest:
            raise TooLargeError(f"a frame of {length} bytes is longer than {longest}")
        self._received += HEADER_SIZE + length
        return kind, self._stream.read_exactly(length, deadline)

    def _lost(self, call: _Call, error: Exception, *, inside_step: bool) -> ContactError:
        if isinstance(error, DeadlineError):
            what = f"{call.op} was not answered in time"
        else:
            what = f"contact was lost during {call.op}: {self._hide(str(error))}"
        hint = "run the same command again: it reads the state of the host first"
        if isinstance(error, TooLargeError) and call.limits != WHOLE:
            hint = f"many hosts were asked at once: ask fewer, such as --limit {self.where}"
        return ContactError(what, where=self.where, hint=hint, inside_step=inside_step)


def _greeting(message: dict[str, Any], access: Access) -> Greeting:
    hello = shaped(message.get("hello"), Hello)
    if hello.protocol != PROTOCOL:
        raise ReplyError(f"protocol {PROTOCOL} was expected, {hello.protocol} came")
    if not _VERSION.match(hello.python):
        raise ReplyError(f"{hello.python!r:.40} is no version of Python")
    if hello.access != access.value:
        raise ReplyError(
            f"a session with access `{access.value}` was expected, {hello.access!r:.20} came"
        )
    try:
        machine = Machine.parse(hello.machine)
    except ValueError as error:
        raise ReplyError(f"the machine does not say which one it is: {error}") from error
    return Greeting(hello.pid, hello.python, machine, hello.lease)


def _result(answer: dict[str, Any], shape: type[Reply]) -> Reply | Failure:
    """Return what an answer holds: exactly one of the result and the error."""
    if ("error" in answer) == ("result" in answer):
        raise ReplyError("an answer holds neither a result nor an error, or both")
    if "error" in answer:
        return shaped(answer["error"], Failure)
    return shaped(answer["result"], shape)


def _stream_of(data: bytes) -> str:
    name = _STREAM_NAMES.get(data[:1])
    if name is None:
        raise ReplyError("output of no known stream came")
    return name


@dataclass(frozen=True, slots=True)
class _Call:
    """One request on its way."""

    op: str
    number: int
    deadline: float
    on_event: OnEvent | None
    on_bytes: OnBytes | None
    limits: Limits
