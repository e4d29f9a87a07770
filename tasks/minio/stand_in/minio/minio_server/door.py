"""The ports: S3, health and the other nodes on one, and the console, which is only a page, on the other."""

from __future__ import annotations

import hmac
import json
import socket
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

from minio_server import iam, s3, signature
from minio_server.cluster import Cluster, QuorumError
from minio_server.peers import PREFIX

_NO_QUORUM = {
    "read": ("SlowDownRead", "Resource requested is unreadable, please reduce your request rate"),
    "write": ("SlowDownWrite", "Resource requested is unwritable, please reduce your request rate"),
}


class Door(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "MinIO"
    sys_version = ""
    timeout = 60
    disable_nagle_algorithm = True
    cluster: Cluster

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""

    def _do(self) -> None:
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            response = self._response(body)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True
            return
        self.send_response(response.status)
        length = response.headers.pop("Content-Length", str(len(response.body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _do  # names of http.server

    def _response(self, body: bytes) -> s3.Response:
        path = self.path.partition("?")[0]
        if path.startswith("/minio/health/"):
            return self._health(path.removeprefix("/minio/health/"))
        if path.startswith(PREFIX):
            return self._peer(path.removeprefix(PREFIX), body)
        return self._s3(body)

    def _health(self, what: str) -> s3.Response:
        quorum = {"X-Minio-Write-Quorum": str(self.cluster.arguments.quorum)}
        if what in ("live", "ready"):
            ready = self.cluster.ready.is_set()
            return s3.Response(headers={} if ready else {"X-Minio-Server-Status": "offline"})
        if what in ("cluster", "cluster/read"):
            return s3.Response(200 if self.cluster.writable() else 503, headers=quorum)
        return s3.Response(404)

    def _s3(self, body: bytes) -> s3.Response:
        arguments = self.cluster.arguments
        # http.server keeps the case of names; S3 signs them in lower case.
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            if not self.cluster.ready.is_set():
                raise s3.S3Error(503, "XMinioServerNotInitialized", "Server not initialized yet")
            users = iam.Iam(self.cluster)
            secrets = {arguments.user: arguments.password}
            user = signature.check(
                self.command,
                self.path,
                headers,
                body,
                lambda key: secrets.get(key) or users.secret(key),
            )
            request = s3.request_of(self.command, self.path, headers, body)
            allows = None if user == arguments.user else partial(users.allows, user)
            return s3.S3(self.cluster, users, allows).answer(request)
        except iam.AdminError as error:
            said = {"Code": error.code, "Message": str(error), "Resource": self.path}
            return s3.Response(error.status, json.dumps(said).encode())
        except signature.DeniedError as denied:
            return self._error(403, denied.code, str(denied))
        except QuorumError as error:
            return self._error(503, *_NO_QUORUM[error.what])
        except s3.S3Error as error:
            return self._error(error.status, error.code, str(error))

    def _error(self, status: int, code: str, message: str) -> s3.Response:
        body = s3.error_body(code, message, self.path.partition("?")[0])
        return s3.Response(status, body, {"Content-Type": "application/xml"})

    def _peer(self, what: str, body: bytes) -> s3.Response:
        """Answer another node."""
        cluster = self.cluster
        if not hmac.compare_digest(self.headers.get("X-Peer-Token", ""), cluster.arguments.token):
            return s3.Response(403, b"the nodes have different root credentials")
        if what in ("freeze", "unfreeze"):
            cluster.take_freeze(frozen=what == "freeze")
            return s3.Response(body=b"null")
        return self._drive(what, body)

    def _drive(self, what: str, body: bytes) -> s3.Response:
        """Answer what another node asks about this one's drive."""
        cluster = self.cluster
        query = dict(parse_qsl(self.path.partition("?")[2], keep_blank_values=True))
        result: object = None
        match what:
            case "state":
                result = cluster.state()
            case "adopt":
                cluster.adopt(json.loads(body))
            case "store":
                head, _, rest = body.partition(b"\n")
                for meta, length in json.loads(head):
                    cluster.drive.store(meta, rest[:length])
                    rest = rest[length:]
            case "versions":
                result = cluster.drive.versions(query["bucket"], query["key"])
            case "index":
                result = cluster.drive.index(query.get("bucket"))
            case "data":
                return s3.Response(body=cluster.drive.data(json.loads(body)))
            case "pull":
                asking = next(p for p in cluster.peers if p.place == int(query["place"]))
                cluster.later(lambda: cluster.pull(asking))
            case _:
                return s3.Response(404)
        return s3.Response(body=json.dumps(result).encode())


class Console(BaseHTTPRequestHandler):
    """The console's page."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""

    def do_GET(self) -> None:  # name of http.server
        """Say what this is."""
        body = b"<html><title>MinIO Console</title>This is kbz's stand-in for MinIO.</html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Many connections at a time, and an address that is free at once after a restart."""

    daemon_threads = True
    request_queue_size = 512
    allow_reuse_address = True

    def server_bind(self) -> None:
        """Bind without looking the address up by name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]


def serve(address: str, handler: type[BaseHTTPRequestHandler]) -> Server:
    """Return a server that listens at `host:port`; an empty host is every address."""
    host, _, port = address.rpartition(":")
    return Server((host, int(port)), handler)
