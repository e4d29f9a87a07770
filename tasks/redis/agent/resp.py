"""A small client of Redis and Sentinel (RESP 2). A password travels in AUTH only: no argv holds it, no answer."""

from __future__ import annotations

import sys
import time

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import TypeAlias

    Reply: TypeAlias = "str | int | list[Reply] | RedisError | None"

TIMEOUT = 3.0
"""Seconds for connecting and for each answer of a daemon on the same host."""
LARGEST_REPLY = 4 << 20
"""Bytes of one answer. Nothing that we ask for is longer."""
_DEEPEST = 8
_DENIED = ("NOAUTH", "WRONGPASS", "NOPERM", "ERR AUTH", "ERR invalid password")


class RedisError(AgentError):
    """The daemon answered with an error; `what` is its text."""


class DeniedError(AgentError):
    """The daemon is there and does not let us in with the password of the credential store."""


class Connection:
    """One connection to Redis or Sentinel; a context manager."""

    def __init__(self, address: str, port: int, password: str = "", former: str = "") -> None:
        """Connect, and authenticate by the password; by the former one where a rotation has not come yet."""
        self._where = f"{address}:{port}"
        try:
            self._socket: http.Connection = http.connect_tcp(address, port, TIMEOUT)
        except OSError as error:
            reason = error.strerror or error
            raise AgentError(f"nothing answers on {self._where}: {reason}") from None
        self._rest = b""
        self._left = 0
        try:
            if password:
                self._authenticate(password, former)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def call(self, *words: str, timeout: float = TIMEOUT) -> Reply:
        """Send one command and return its answer; RedisError when that is an error."""
        sys.audit("kbz.redis", *words)
        parts = [word.encode() for word in words]
        frame = [b"*%d\r\n" % len(parts)]
        frame += [b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(b"".join(frame))
        except OSError as error:
            raise http.BrokenConnectionError(
                f"{self._where} hung up: {error.strerror or error}"
            ) from None
        self._left = LARGEST_REPLY
        reply = self._read(time.monotonic() + timeout, 0)
        if isinstance(reply, RedisError):
            raise DeniedError(reply.what) if reply.what.startswith(_DENIED) else reply
        return reply

    def _authenticate(self, password: str, former: str) -> None:
        try:
            self.call("AUTH", password)
        except DeniedError as error:
            # A daemon without a password says this to AUTH and lets everybody in; a setting tells.
            if "without any password" in error.what:
                return
            if not former:
                raise
            self._authenticate(former, "")

    def _read(self, until: float, depth: int) -> Reply:
        line = self._line(until)
        kind, text = line[:1], line[1:].decode(errors="replace")
        if kind == b"+":
            return text
        if kind == b"-":
            return RedisError(text)
        if kind == b":":
            return self._number(text)
        if kind == b"$":
            size = self._number(text)
            return None if size < 0 else self._take(size, until).decode(errors="replace")
        if kind == b"*" and depth < _DEEPEST:
            return [self._read(until, depth + 1) for _ in range(max(0, self._number(text)))]
        raise AgentError(f"what answers on {self._where} does not speak Redis's protocol")

    def _number(self, text: str) -> int:
        try:
            return int(text)
        except ValueError:
            raise AgentError(
                f"what answers on {self._where} does not speak Redis's protocol"
            ) from None

    def _line(self, until: float) -> bytes:
        while b"\r\n" not in self._rest:
            self._receive(until)
        line, self._rest = self._rest.split(b"\r\n", 1)
        return line

    def _take(self, size: int, until: float) -> bytes:
        while len(self._rest) < size + 2:
            self._receive(until)
        data, self._rest = self._rest[:size], self._rest[size + 2 :]
        return data

    def _receive(self, until: float) -> None:
        block = http.receive(self._socket, until)
        if not block:
            raise http.BrokenConnectionError(f"{self._where} hung up before its answer was whole")
        self._left -= len(block)
        if self._left < 0:
            raise AgentError(f"the answer of {self._where} never ends")
        self._rest += block


def pairs(reply: Reply) -> dict[str, str]:
    """Return a flat list of names and values, such as CONFIG GET answers with, as a dictionary."""
    items = [str(item) for item in reply] if isinstance(reply, list) else []
    return dict(zip(items[::2], items[1::2], strict=False))


def information(reply: Reply) -> dict[str, str]:
    """Return the fields of an INFO answer."""
    lines = reply.splitlines() if isinstance(reply, str) else []
    split = (line.partition(":") for line in lines if not line.startswith("#"))
    return {name: value for name, colon, value in split if colon}


def keep_settings(redis: Connection, described: str) -> None:
    """Let Redis write its settings into its own file, which as described is this one.

    One of an older installation may have no file, or one that it may not write. It is replaced by a container that
    reads ours: until then its settings live as long as it does.
    """
    try:
        redis.call("CONFIG", "REWRITE")
    except RedisError:
        if information(redis.call("INFO", "server")).get("config_file") == described:
            raise
