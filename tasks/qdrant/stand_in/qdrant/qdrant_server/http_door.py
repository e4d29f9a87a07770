"""The REST port: the API key first, then collections and points, in the words of Qdrant."""

from __future__ import annotations

import hmac
import json
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from qdrant_server.storage import Storage, WrongError

VERSION = {"title": "qdrant - vector search engine", "version": "1.19.0"}
_OPEN = ("/", "/healthz", "/readyz", "/livez")
_TEXTS = {
    "/healthz": "healthz check passed",
    "/livez": "healthz check passed",
    "/readyz": "all shards are ready",
}
_PAGE = 10


def serve(address: tuple[str, int], key: str, storage: Storage) -> ThreadingHTTPServer:
    """Return a server that is bound; nothing is answered before it serves."""
    server = ThreadingHTTPServer(address, partial(Door, key, storage))
    server.daemon_threads = True
    return server


class Door(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True

    def __init__(self, key: str, storage: Storage, *arguments: Any) -> None:
        self._key, self._storage = key, storage
        super().__init__(*arguments)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(self.path.partition("?")[0])
        path = path.rstrip("/") or "/"
        if path not in _OPEN and (why := self._refused()):
            self._send(401, why.encode(), "text/plain")
        elif path in _TEXTS and self.command == "GET":
            self._send(200, _TEXTS[path].encode(), "text/plain")
        elif path == "/":
            self._send(200, json.dumps(VERSION).encode(), "application/json")
        else:
            self._answer(path, body)

    do_GET = do_PUT = do_POST = do_DELETE = _do  # noqa: N815  # names of http.server

    def _refused(self) -> str:
        """Return why a request is not let in; empty when it is."""
        if not self._key:
            return ""
        given = self.headers.get("api-key") or ""
        bearer = self.headers.get("Authorization") or ""
        if not given and bearer.startswith("Bearer "):
            given = bearer.removeprefix("Bearer ")
        if not given:
            return "Must provide an API key or an Authorization bearer token"
        good = hmac.compare_digest(given.encode(), self._key.encode())
        return "" if good else "Invalid API key or JWT"

    def _answer(self, path: str, body: bytes) -> None:
        began = time.monotonic()
        try:
            result = self._result(path.split("/")[1:], body)
            status, document = 200, {"result": result, "status": "ok"}
        except WrongError as error:
            status, document = error.status, {"status": {"error": str(error)}}
        document["time"] = time.monotonic() - began
        self._send(status, json.dumps(document).encode(), "application/json")

    def _result(self, parts: list[str], body: bytes) -> Any:
        storage = self._storage
        match (self.command, *parts):
            case ("GET", "collections"):
                return {"collections": [{"name": name} for name in storage.names()]}
            case ("GET", "collections", name):
                return {"status": "green", "points_count": storage.count(name)}
            case ("PUT", "collections", name):
                storage.create(name, _parsed(body))
                return True
            case ("DELETE", "collections", name):
                storage.delete(name)
                return True
            case ("PUT", "collections", name, "points"):
                storage.upsert(name, _parsed(body).get("points"))
                return {"operation_id": 0, "status": "completed"}
            case ("POST", "collections", name, "points", "scroll"):
                wanted = _parsed(body)
                found, more = storage.scroll(
                    name, int(wanted.get("limit") or _PAGE), wanted.get("offset")
                )
                return {"points": found, "next_page_offset": more}
        raise WrongError(404, "")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise WrongError(400, f"Format error in JSON body: {error}") from error
    if not isinstance(found, dict):
        raise WrongError(400, "Format error in JSON body: expected a map")
    return found
