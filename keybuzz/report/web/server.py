"""One bounded HTTP server: so many connections, one request on each, so many bytes, so many seconds."""

from __future__ import annotations

import errno
import math
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from keybuzz.model.core.errors import KbzError
from keybuzz.report.web.address import Address
from keybuzz.report.web.answers import HEADERS, METHODS, Answer, Request, said

_END_OF_HEAD = re.compile(rb"\n\r?\n")
_BLOCK = 4096
_LINGER = 1.0
"""Seconds of silence after which a client that was refused has read why."""
_LOOK = 0.2
"""Seconds between two looks at who is late, and whether to end."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may take."""

    connections: int = 32
    seconds: float = 10.0
    """For a whole connection, from its first byte to its last, however busily it sends."""
    head: int = 16 * 1024
    """Bytes of a request line and its headers."""


class WebServer(ThreadingMixIn, TCPServer):
    """Listens from the moment it is made; `serve` answers until `shutdown`, and then nothing is waited for."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self, address: Address, answer: Callable[[Request], Answer], limits: Limits = Limits()
    ) -> None:
        self.address_family = socket.AF_INET6 if address.ip.version == 6 else socket.AF_INET
        self.answer = answer
        self.limits = limits
        self._late: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        try:
            super().__init__((str(address.ip), address.port), _Connection)
        except OSError as error:
            raise _can_not_listen(address, error) from error
        self.address = Address(address.ip, self.socket.getsockname()[1])

    def serve(self) -> None:
        """Answer requests until another thread calls `shutdown`."""
        self.serve_forever(_LOOK)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin with a connection, or refuse it at once when there are too many."""
        with self._lock:
            full = len(self._late) >= self.limits.connections
            if not full:
                self._late[request] = time.monotonic() + self.limits.seconds
        if not full:
            super().process_request(request, client_address)
            return
        with suppress(OSError):
            request.setblocking(False)
            request.sendall(_BUSY)
        self.shutdown_request(request)

    def service_actions(self) -> None:
        """Cut off who is late. A timeout of the socket would begin anew with each byte of a slow client."""
        now = time.monotonic()
        with self._lock:
            for request in [found for found, late in self._late.items() if late < now]:
                self._late[request] = math.inf  # it counts until its thread has ended
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def close_request(self, request: Any) -> None:
        """Close a connection, which counts no more."""
        with self._lock:
            self._late.pop(request, None)
            super().close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say on stderr that a connection ended badly: no traceback, there or at the client."""
        error = sys.exc_info()[1]
        print(f"kbz serve: a request was dropped: {type(error).__name__}: {error}", file=sys.stderr)


class _Connection(BaseHTTPRequestHandler):
    """One connection: its one request is read and answered."""

    protocol_version = "HTTP/1.1"
    command = ""
    server: WebServer

    def handle(self) -> None:
        """Answer the one request; a client that goes away or is cut off gets nothing."""
        longest = self.server.limits.head
        with suppress(OSError):
            head = self._head(longest)
            if len(head) > longest:
                words = f"the head of a request has at most {longest} bytes"
                self._give(said(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, words))
            elif _END_OF_HEAD.search(head):
                self.rfile = BytesIO(head)
                self.raw_requestline = self.rfile.readline()
                if self.parse_request():
                    self._give(self.server.answer(self._asked()))

    def _head(self, longest: int) -> bytes:
        """Return what the client sends up to the empty line, or what shows that it is too much."""
        head = b""
        while not _END_OF_HEAD.search(head) and len(head) <= longest:
            block = self.connection.recv(_BLOCK)
            if not block:
                break
            head += block
        return head

    def _asked(self) -> Request:
        headers = self.headers
        body = headers.get("Content-Length", "0").strip() != "0" or "Transfer-Encoding" in headers
        return Request(self.command, self.path, tuple(headers.get_all("Host", ())), body)

    def _give(self, answer: Answer) -> None:
        # To HTTP/0.9, which is what it takes an unreadable version for, http.server would send no head.
        self.request_version = self.protocol_version
        self.send_response(answer.status)
        own = {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body))}
        for name, value in {**HEADERS, **own, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != METHODS[1]:
            self.wfile.write(answer.body)
        if HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self._linger()

    def _linger(self) -> None:
        """Read on what is not wanted: to close over it would reset the connection, and take the answer with it."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(_LINGER)
        while self.connection.recv(_BLOCK):
            pass

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what http.server cannot read."""
        status = HTTPStatus(code)
        self._give(said(status, message or status.phrase))

    def handle_expect_100(self) -> bool:
        """Invite no body: the request is answered as it is."""
        return True

    def version_string(self) -> str:
        """Say who answers, and not with which versions."""
        return "kbz"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Keep no log of who reads."""


_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 22\r\n\r\ntoo many connections\r\n"
)


def _can_not_listen(address: Address, error: OSError) -> KbzError:
    hints = {
        errno.EADDRINUSE: "perhaps another kbz serve is at work; --listen names another port",
        errno.EADDRNOTAVAIL: "`ip address` shows the addresses of this machine",
        errno.EACCES: "a port from 1024 on needs no rights",
    }
    return KbzError(
        f"cannot listen there: {error.strerror}",
        where=str(address),
        hint=hints.get(error.errno or 0, ""),
    )
