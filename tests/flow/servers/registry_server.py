"""A registry of the HTTP API v2 on loopback, with the tags that a test gives it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Tags:
    """What the registry holds: repository to tag to digest."""

    images: dict[str, dict[str, str]]
    status: int = 0
    """Answer everything with this status; 0 for the truth."""
    asked: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body."""
        if self.status:
            return self.status, {}, b"out of order"
        name, _, last = path.removeprefix("/v2/").rpartition("/")
        repository, _, kind = name.rpartition("/")
        tags = self.images.get(repository, {})
        if kind == "tags" and tags:
            return 200, {}, json.dumps({"name": repository, "tags": sorted(tags)}).encode()
        if kind == "manifests" and last in tags:
            return 200, {"Docker-Content-Digest": tags[last]}, b"{}"
        return 404, {}, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'


@contextmanager
def serving_registry(tags: Tags) -> Iterator[str]:
    """Yield the URL of a registry; it ends with the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(body=True)

        def do_HEAD(self) -> None:
            self._say(body=False)

        def _say(self, *, body: bool) -> None:
            tags.asked.append(f"{self.command} {self.path}")
            tags.accepted.append(self.headers["Accept"])
            status, headers, content = tags.answer(self.path.partition("?")[0])
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="registry")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(10)
