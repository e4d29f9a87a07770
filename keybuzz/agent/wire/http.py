"""A small HTTP/1.0 client over TCP or a unix socket.

http.client would do, but importing it (and the mail parser behind it) costs more time on 48 hosts than all our
requests together. HTTP/1.0 means: no chunks, the answer ends with the connection.
"""

from __future__ import annotations

import _socket
import sys
import time

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import json_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST_BODY = 64 << 20
"""Bytes. Nothing that we ask for is longer; an endless answer must not fill the host's memory."""
_LARGEST_HEAD = 1 << 16
_BLOCK = 1 << 16


class BrokenConnectionError(AgentError):
    """The other side hung up in the middle of something."""


class LateAnswerError(AgentError):
    """The answer was not complete at its deadline."""


class Response:
    """Status, body and its JSON."""

    __slots__ = ("body", "status")

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body

    def json(self) -> object:
        """Return the parsed body, or None when it is empty or not JSON."""
        try:
            return json_text.parse(self.body)
        except ValueError:
            return None


class Connection(_socket.socket):
    """A socket that a `with` closes: the one of `socket`, whose import brings `enum` and `selectors`, can do more."""

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect_unix(path: str, timeout: float) -> Connection:
    """Return a connected unix socket."""
    connection = Connection(_socket.AF_UNIX)
    try:
        connection.settimeout(timeout)
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def connect_tcp(host: str, port: int, timeout: float) -> Connection:
    """Return a connected TCP socket."""
    failure = OSError(f"{host} has no address")
    for family, kind, protocol, _, place in _socket.getaddrinfo(host, port, 0, _socket.SOCK_STREAM):
        try:
            connection = Connection(family, kind, protocol)
        except OSError as error:  # a family that this kernel does not speak
            failure = error
            continue
        try:
            connection.settimeout(timeout)
            connection.connect(place)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure


def send_request(
    connection: Connection,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes | Iterable[bytes] = b"",
) -> None:
    """Send a request; a body that is not bytes is streamed in chunks of HTTP/1.1."""
    sys.audit("kbz.http", method, path)
    streamed = not isinstance(body, bytes)
    version = "1.1" if streamed else "1.0"
    sent = {"Host": "kbz", "Connection": "close", **headers}
    lines = [f"{method} {path} HTTP/{version}"]
    lines += [f"{name}: {value}" for name, value in sent.items()]
    if isinstance(body, bytes):
        lines.append(f"Content-Length: {len(body)}")
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return
    lines.append("Transfer-Encoding: chunked")
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
    for block in body:
        if block:
            connection.sendall(b"%x\r\n%b\r\n" % (len(block), block))
    connection.sendall(b"0\r\n\r\n")


def receive(connection: Connection, until: float) -> bytes:
    """Return the next bytes, or nothing at the end. `until` is monotonic: a slow trickle is late as well."""
    left = until - time.monotonic()
    if left > 0:
        try:
            connection.settimeout(left)
            return connection.recv(_BLOCK)
        except TimeoutError:
            pass
        except OSError as error:
            reason = error.strerror or error
            raise BrokenConnectionError(f"the connection broke: {reason}") from None
    raise LateAnswerError("the answer did not come in time")


def read_head(connection: Connection, until: float) -> tuple[int, dict[str, str], bytes]:
    """Read status and headers; return them with the bytes of the body that came along."""
    data = b""
    while b"\r\n\r\n" not in data:
        block = receive(connection, until)
        if not block:
            raise AgentError("the connection ended before an answer")
        data += block
        if len(data) > _LARGEST_HEAD and b"\r\n\r\n" not in data:
            raise AgentError("the head of the answer never ends")
    head, rest = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    version, status = (*lines[0].split(" ", 2), "", "")[:2]
    if not version.startswith("HTTP/1.") or not status.isdecimal():
        raise AgentError(f"what answers does not speak HTTP: {lines[0][:60]!r}")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines[1:])
    }
    return int(status), headers, rest


def read_response(connection: Connection, until: float) -> Response:
    """Read the whole answer; AgentError when it is late, too long, or was cut short."""
    status, headers, rest = read_head(connection, until)
    return Response(status, read_body(connection, until, headers, rest))


def read_body(connection: Connection, until: float, headers: dict[str, str], rest: bytes) -> bytes:
    """Read the body after its head: as long as it says, in chunks, or until the connection ends."""
    length = headers.get("content-length", "")
    expected = int(length) if length.isdecimal() else None
    blocks, size = [rest], len(rest)
    while expected is None or size < expected:
        block = receive(connection, until)
        if not block:
            break
        blocks.append(block)
        size += len(block)
        if size > LARGEST_BODY:
            raise AgentError(f"the answer is longer than {LARGEST_BODY >> 20} MiB")
    body = b"".join(blocks)
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _join_chunks(body)
    if expected is not None and size < expected:
        raise AgentError("the answer was cut short")
    return body[:expected]


def _join_chunks(body: bytes) -> bytes:
    """Return the content of a body in chunks, of which the last is empty."""
    blocks: list[bytes] = []
    position = 0
    while True:
        end = body.find(b"\r\n", position)
        try:
            size = int(body[position:end].split(b";")[0], 16)
        except ValueError:
            size = -1
        start = end + 2
        if end < 0 or size < 0 or len(body) < start + size:
            raise AgentError("the answer was cut short")
        if size == 0:
            return b"".join(blocks)
        blocks.append(body[start : start + size])
        position = start + size + 2


def request_url(
    method: str, url: str, timeout: float, headers: dict[str, str] | None = None, body: bytes = b""
) -> Response:
    """Send one request to an http:// URL. `timeout` is in seconds, for all of it."""
    until = time.monotonic() + timeout
    host_and_port, slash, path = url.removeprefix("http://").partition("/")
    host, _, port = host_and_port.partition(":")
    with connect_tcp(host, int(port or 80), timeout) as connection:
        send_request(connection, method, slash + path or "/", headers or {}, body)
        return read_response(connection, until)
