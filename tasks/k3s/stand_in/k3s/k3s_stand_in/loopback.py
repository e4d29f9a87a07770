"""Ports that the real programs open on the host's own address only, and that answer nothing of use here."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SERVER = (2381, 2382, 10257, 10258, 10259)
"""etcd's metrics and its clients without TLS, the controllers and the scheduler."""
AGENT = (6444, 10010, 10248, 10249, 10256)
"""The way to the servers, containerd's streams, the kubelet's health and the proxy's metrics and health."""
INGRESS = (10245, 10246, 10247)
"""The controller's profiler, status and streams."""
INGRESS_HEALTH = 10254
"""Of the pod that they come with."""


class Ok(BaseHTTPRequestHandler):
    """Say ok to everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def listen(ports: Iterable[int], address: str = "127.0.0.1") -> None:
    """Open ports in threads of this process."""
    for port in ports:
        server = ThreadingHTTPServer((address, port), Ok, bind_and_activate=False)
        server.allow_reuse_address = True
        server.server_bind()
        server.server_activate()
        threading.Thread(target=server.serve_forever, daemon=True).start()
