"""A server on a unix socket that answers byte by byte what a test tells it to."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_POLL = 0.1
"""Seconds after which the server looks whether it shall end."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked for."""

    method: str
    path: str
    version: str
    headers: dict[str, str]
    body: bytes
    connection: socket.socket

    def json(self) -> Any:
        """Return the body's value."""
        return json.loads(self.body)

    def rest(self) -> bytes:
        """Return what the client sends after its request, until it has nothing more to say."""
        blocks = []
        while block := self.connection.recv(1 << 16):
            blocks.append(block)
        return b"".join(blocks)


Answer = Callable[[Request], "bytes | Iterator[bytes]"]


@dataclass(frozen=True, slots=True)
class Server:
    """Answers each connection once, and remembers what was asked."""

    path: Path
    answer: Answer
    requests: list[Request] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def asked(self) -> list[str]:
        """Method and path of each request, in order."""
        return [f"{request.method} {request.path}" for request in self.requests]

    def serve(self, listener: socket.socket) -> None:
        """Answer until the end is asked for; one client after the other is enough for the agent."""
        while not self.ended.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                connection.settimeout(10)
                with connection, suppress(BrokenPipeError, ConnectionResetError):
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        request = _read(connection)
        self.requests.append(request)
        answer = self.answer(request)
        for piece in (answer,) if isinstance(answer, bytes) else answer:
            connection.sendall(piece)
            if self.ended.is_set():
                return


@contextmanager
def serving(path: Path, answer: Answer) -> Iterator[Server]:
    """Run a server until the block ends."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(_POLL)
        server = Server(path, answer)
        thread = threading.Thread(target=server.serve, args=(listener,), name="unix server")
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            thread.join(15)
            path.unlink()


def respond(status: int, value: object = None, reason: str = "Said") -> bytes:
    """Return an answer as the Engine gives it to HTTP/1.0: its JSON ends with the connection."""
    body = b"" if value is None else json.dumps(value).encode() + b"\n"
    return f"HTTP/1.0 {status} {reason}\r\nServer: Docker\r\n\r\n".encode() + body


def stream_frame(stream: int, payload: bytes) -> bytes:
    """Return a frame of Docker's multiplexed output: 1 is stdout, 2 is stderr."""
    return struct.pack(">BxxxI", stream, len(payload)) + payload


def _read(connection: socket.socket) -> Request:
    stream = connection.makefile("rb", buffering=0)
    method, path, version = _line(stream).split(" ")
    headers = {}
    while line := _line(stream):
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(_line(stream), 16):
            body += _exactly(stream, size + 2)[:-2]
        _line(stream)
    else:
        body = _exactly(stream, int(headers.get("content-length", 0)))
    return Request(method, path, version, headers, body, connection)


def _line(stream: socket.SocketIO) -> str:
    data = b""
    while not data.endswith(b"\r\n"):
        byte = stream.read(1)
        if not byte:
            raise ConnectionResetError
        data += byte
    return data[:-2].decode()


def _exactly(stream: socket.SocketIO, size: int) -> bytes:
    data = b""
    while len(data) < size:
        block = stream.read(size - len(data))
        if not block:
            raise ConnectionResetError
        data += block
    return data
