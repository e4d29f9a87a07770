"""HTTPS on both sides, with JSON in the bodies."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Request:
    """One request, with who sent it: the names of a certificate, or of a token's login."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    user: str = ""
    groups: tuple[str, ...] = ()
    login: tuple[str, str] = ("", "")
    content_type: str = "application/json"


Answer = tuple[int, Any]
App = Callable[[Request], Answer]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 65
    server: HttpsServer

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        parts = urlsplit(self.path)
        try:
            body = json.loads(raw) if raw else None
            request = Request(
                self.command,
                parts.path,
                {key: values[-1] for key, values in parse_qs(parts.query, True).items()},
                body,
                *self._subject(),
                self._login(),
                self.headers.get("Content-Type", "application/json"),
            )
            code, answer = self.server.app(request)
        except ValueError as error:
            code, answer = 400, {"kind": "Status", "code": 400, "message": str(error)}
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(code)
        kind = "text/plain" if isinstance(answer, str) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def _subject(self) -> tuple[str, tuple[str, ...]]:
        connection = self.connection
        found: Any = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
        pairs = [pair for group in (found or {}).get("subject", ()) for pair in group]
        user = next((value for key, value in pairs if key == "commonName"), "")
        return user, tuple(value for key, value in pairs if key == "organizationName")

    def _login(self) -> tuple[str, str]:
        kind, _, text = self.headers.get("Authorization", "").partition(" ")
        if kind != "Basic":
            return "", ""
        user, _, password = base64.b64decode(text).decode(errors="replace").partition(":")
        return user, password

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class HttpsServer(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: str, port: int, context: ssl.SSLContext, app: App) -> None:
        super().__init__((address, port), _Handler)
        self._context = context
        self.app = app

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        connection.settimeout(10)
        # The handshake is the thread's own work: one slow client must not stop the others.
        wrapped = self._context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        )
        return wrapped, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients go away all the time."""

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, daemon=True).start()


class UnreachableError(OSError):
    """Nobody answered."""


class Client:
    """Requests to one server over a connection that is kept; one for each thread."""

    def __init__(
        self, host: str, port: int, context: ssl.SSLContext, login: str = "", timeout: float = 4.0
    ) -> None:
        self._made = (host, port, context, timeout)
        self._headers = {"Content-Type": "application/json"}
        if login:
            self._headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        self._local = threading.local()

    def send(self, method: str, path: str, body: Any = None) -> Answer:
        data = None if body is None else json.dumps(body)
        kept = getattr(self._local, "connection", None)
        for connection in [kept, None] if kept is not None else [None]:
            fresh = connection or self._connect()
            try:
                fresh.request(method, path, data, self._headers)
                response = fresh.getresponse()
                raw = response.read()
            except (OSError, HTTPException) as error:
                fresh.close()
                self._local.connection = None
                if connection is None:
                    raise UnreachableError(str(error) or type(error).__name__) from error
                continue
            self._local.connection = fresh
            try:
                return response.status, json.loads(raw)
            except ValueError:
                return response.status, raw.decode(errors="replace")
        raise UnreachableError("no answer")

    def _connect(self) -> HTTPSConnection:
        host, port, context, timeout = self._made
        return HTTPSConnection(host, port, timeout=timeout, context=context)


def notify(text: str) -> None:
    """Tell systemd (sd_notify)."""
    import os

    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(text.encode(), address)
