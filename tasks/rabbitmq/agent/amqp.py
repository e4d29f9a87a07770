"""A real login to RabbitMQ by AMQP 0-9-1: header, Start, StartOk PLAIN, Tune, Open, OpenOk, Close."""

from __future__ import annotations

import struct
import time

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HEADER = b"AMQP\0\0\x09\x01"
_METHOD, _HEARTBEAT, _END = 1, 8, 0xCE
_LARGEST = 1 << 17
"""Bytes of one frame, as RabbitMQ proposes itself."""
_START, _START_OK = (10, 10), (10, 11)
_TUNE, _TUNE_OK = (10, 30), (10, 31)
_OPEN, _OPEN_OK = (10, 40), (10, 41)
_CLOSE, _CLOSE_OK = (10, 50), (10, 51)
_DENIED = 403

Method = tuple[int, int]


def answer_amqp_login(query: dict[str, Any]) -> dict[str, object]:
    """Return {"accepted": bool, "reason": str, "cluster": name}; AgentError when nothing there speaks AMQP."""
    until = time.monotonic() + query["timeout"]
    with http.connect_tcp(query["address"], query["port"], query["timeout"]) as connection:
        return _Login(connection, until).run(query)


class _ClosedError(Exception):
    """The server closed the connection and said why."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class _Login:
    """One connection, until the server says yes or no."""

    def __init__(self, connection: http.Connection, until: float) -> None:
        self._connection = connection
        self._until = until
        self._data = b""

    def run(self, query: dict[str, Any]) -> dict[str, object]:
        self._connection.sendall(_HEADER)
        cluster = cluster_name(self._expect(_START))
        try:
            self._log_in(query)
        except _ClosedError as closed:
            if closed.code != _DENIED:
                raise AgentError(f"RabbitMQ closed the connection: {closed.text}") from None
            return {"accepted": False, "reason": closed.text, "cluster": cluster}
        return {"accepted": True, "reason": "", "cluster": cluster}

    def _log_in(self, query: dict[str, Any]) -> None:
        response = f"\0{query['user']}\0{query['password']}".encode()
        self._send(
            _START_OK,
            # With this the server says why it refuses, instead of hanging up.
            _table(b"\x0ccapabilitiesF" + _table(b"\x1cauthentication_failure_closet\1"))
            + _short(b"PLAIN")
            + _long(response)
            + _short(b"en_US"),
        )
        channels, frame, _ = struct.unpack(">HIH", self._expect(_TUNE)[:8])
        self._send(_TUNE_OK, struct.pack(">HIH", channels, frame, 0))
        self._send(_OPEN, _short(query["vhost"].encode()) + _short(b"") + b"\0")
        self._expect(_OPEN_OK)
        self._send(_CLOSE, struct.pack(">H", 200) + _short(b"") + struct.pack(">HH", 0, 0))
        self._expect(_CLOSE_OK)

    def _send(self, method: Method, arguments: bytes) -> None:
        payload = struct.pack(">HH", *method) + arguments
        head = struct.pack(">BHI", _METHOD, 0, len(payload))
        try:
            self._connection.sendall(head + payload + bytes([_END]))
        except OSError as error:
            reason = error.strerror or error
            raise http.BrokenConnectionError(f"RabbitMQ hung up: {reason}") from None

    def _expect(self, wanted: Method) -> bytes:
        method, arguments = self._method()
        if method == _CLOSE:
            code = struct.unpack(">H", arguments[:2])[0]
            raise _ClosedError(code, arguments[3 : 3 + arguments[2]].decode(errors="replace"))
        if method != wanted:
            raise AgentError(f"RabbitMQ went on with method {method} where {wanted} belongs")
        return arguments

    def _method(self) -> tuple[Method, bytes]:
        while True:
            kind, _, size = struct.unpack(">BHI", self._exactly(7))
            if kind not in (_METHOD, _HEARTBEAT) or size > _LARGEST:
                raise AgentError("what answers does not speak AMQP 0-9-1")
            payload = self._exactly(size + 1)
            if payload[-1] != _END or (kind == _METHOD and size < 4):
                raise AgentError("what answers does not speak AMQP 0-9-1")
            if kind == _METHOD:
                major, minor = struct.unpack(">HH", payload[:4])
                return (major, minor), payload[4:-1]

    def _exactly(self, size: int) -> bytes:
        while len(self._data) < size:
            block = http.receive(self._connection, self._until)
            if not block:
                raise http.BrokenConnectionError("RabbitMQ hung up in the middle of the login")
            self._data += block
        found, self._data = self._data[:size], self._data[size:]
        return found


def cluster_name(start: bytes) -> str:
    """Return the cluster's name from the server's properties in Connection.Start; empty when it tells none."""
    key = b"\x0ccluster_nameS"
    position = start.find(key)
    if position < 0:
        return ""
    position += len(key)
    if len(start) < position + 4:
        raise AgentError("what answers does not speak AMQP 0-9-1")
    (size,) = struct.unpack(">I", start[position : position + 4])
    return start[position + 4 : position + 4 + size].decode(errors="replace")


def _short(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def _long(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text


def _table(fields: bytes) -> bytes:
    return _long(fields)
