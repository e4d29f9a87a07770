"""A small HTTP/1.0 client over TCP or a unix socket.

http.client would do, but importing it (and the mail parser behind it) costs more time on 48 hosts than all our
requests together. HTTP/1.0 means: no chunks, the answer ends with the connection.
"""

from __future__ import annotations

import json
import socket

from keybuzz.agent.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_BLOCK = 1 << 16


class Response:
    """Status, body and its JSON."""

    __slots__ = ("body", "status")

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body

    def json(self) -> object:
        """Return the parsed body, or None when it is empty or not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def connect_unix(path: str, timeout: float) -> socket.socket:
    """Return a connected unix socket."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    connection.connect(path)
    return connection


def connect_tcp(host: str, port: int, timeout: float) -> socket.socket:
    """Return a connected TCP socket."""
    return socket.create_connection((host, port), timeout)


def send_request(
    connection: socket.socket,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes | Iterable[bytes] = b"",
) -> None:
    """Send a request; a body that is not bytes is streamed in chunks of HTTP/1.1."""
    streamed = not isinstance(body, bytes)
    version = "1.1" if streamed else "1.0"
    lines = [f"{method} {path} HTTP/{version}", "Host: kbz", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
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


def read_head(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read status and headers; return them with the bytes of the body that came along."""
    data = b""
    while b"\r\n\r\n" not in data:
        block = connection.recv(_BLOCK)
        if not block:
            raise AgentError("the connection ended before an answer", "")
        data += block
    head, rest = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines[1:])
    }
    return int(lines[0].split(" ", 2)[1]), headers, rest


def read_response(connection: socket.socket) -> Response:
    """Read the whole answer."""
    status, headers, body = read_head(connection)
    blocks = [body]
    while block := connection.recv(_BLOCK):
        blocks.append(block)
    body = b"".join(blocks)
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = _join_chunks(body)
    return Response(status, body)


def _join_chunks(body: bytes) -> bytes:
    blocks = []
    while body:
        size_line, _, body = body.partition(b"\r\n")
        size = int(size_line.split(b";")[0], 16)
        if size == 0:
            break
        blocks.append(body[:size])
        body = body[size + 2 :]
    return b"".join(blocks)


def request_url(
    method: str, url: str, timeout: float, headers: dict[str, str] | None = None, body: bytes = b""
) -> Response:
    """Send one request to an http:// URL."""
    host_and_port, slash, path = url.removeprefix("http://").partition("/")
    host, _, port = host_and_port.partition(":")
    with connect_tcp(host, int(port or 80), timeout) as connection:
        send_request(connection, method, slash + path or "/", headers or {}, body)
        return read_response(connection)
