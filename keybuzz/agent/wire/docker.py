"""Docker Engine over its unix socket: the few calls that kbz needs."""

from __future__ import annotations

import _socket
import struct
import sys
import time

from keybuzz.agent.runtime.ending import CLEANUPS
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http, json_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/:@")


def quote(text: str) -> str:
    """Percent-encode a part of a URL."""
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in text.encode())


def handed_over_as(reference: str) -> str:
    """Return the tag that stands for `name:tag@digest` where `docker load` brought the image, without its digest.

    Empty for a reference without a digest. kbz alone gives that tag, to an image whose id was compared.
    """
    tagged, at, digest = reference.partition("@")
    return f"{tagged.rpartition(':')[0]}:{digest.replace(':', '-')}" if at else ""


class DockerUnavailableError(AgentError):
    """The engine does not answer on its socket."""


LOOK_TIMEOUT = 20.0
"""Seconds for an answer to a look: an engine that takes longer hangs, and is asked nothing more in this request."""


class Docker:
    """One engine. Each call is one connection; nothing is kept open."""

    def __init__(self, path: str = "/var/run/docker.sock") -> None:
        self.path = path
        self._hangs = ""
        """Why nothing more is asked; empty while it answers."""

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        timeout: float = 30.0,
    ) -> http.Response:
        """Send JSON, return the answer, whatever its status. `timeout` is in seconds, for all of it."""
        until = time.monotonic() + timeout
        data = b"" if body is None else json_text.dumps(body).encode()
        with self._connect(timeout) as connection:
            http.send_request(connection, method, path, {"Content-Type": "application/json"}, data)
            return http.read_response(connection, until)

    def get(self, path: str) -> Any:
        """Return the JSON of a GET, or None when the thing is not there."""
        response = self._look(path)
        if response.status == 404:
            return None
        self._expect(response, f"read {path}")
        found = response.json()
        if found is None:  # never taken for "not there": that would be created a second time
            raise AgentError(f"Docker answered {path} with something that is not JSON")
        return found

    def _look(self, path: str) -> http.Response:
        """Return the answer to a GET; the first that does not come counts for all that would follow."""
        try:
            return self.call("GET", path, timeout=LOOK_TIMEOUT)
        except http.LateAnswerError:
            self._hangs = f"Docker takes connections and does not answer within {LOOK_TIMEOUT:g} s: dockerd hangs"
            raise DockerUnavailableError(self._hangs, "systemctl restart docker") from None

    def act(self, method: str, path: str, body: object = None, *, timeout: float = 120.0) -> Any:
        """Send a change and return its JSON; 304 (already so) is fine."""
        response = self.call(method, path, body, timeout=timeout)
        self._expect(response, f"{method} {path.split('?')[0]}")
        return response.json()

    def upload(
        self, path: str, blocks: Iterable[bytes], content_type: str, *, timeout: float = 600.0
    ) -> bytes:
        """Stream a body, such as an image, and return the text of the answer."""
        with self._connect(timeout) as connection:
            http.send_request(connection, "POST", path, {"Content-Type": content_type}, blocks)
            response = http.read_response(connection, time.monotonic() + timeout)
        self._expect(response, f"POST {path.split('?')[0]}")
        return response.body

    def download(self, path: str, target: str, *, timeout: float = 600.0) -> None:
        """Write the body of a GET into a file of the caller's, without holding it in memory."""
        with open(target, "wb") as file:
            self.stream(path, file.write, timeout=timeout)

    def stream(self, path: str, sink: Callable[[bytes], object], *, timeout: float = 600.0) -> None:
        """Hand the body of a GET on, block by block, without holding it in memory."""
        with self._connect(timeout) as connection:
            http.send_request(connection, "GET", path, {})
            until = time.monotonic() + timeout
            status, _, block = http.read_head(connection, until)
            if status != 200:
                raise AgentError(f"Docker refused to hand out {path} (status {status})")
            while block:
                sink(block)
                block = http.receive(connection, until)

    def image(self, reference: str) -> Any:
        """Return an image as Docker tells it, or None.

        One that was handed over has lost its digest, and is found by the tag that kbz gave it instead.
        """
        found = self.get(f"/images/{quote(reference)}/json")
        stand_in = handed_over_as(reference)
        return found or (self.get(f"/images/{quote(stand_in)}/json") if stand_in else None)

    def image_id(self, reference: str) -> str | None:
        """Return the id of an image on this engine, or None."""
        image = self.image(reference)
        return str(image["Id"]) if image else None

    def name_of(self, reference: str) -> str:
        """Return the reference by which this engine knows an image; it may know it by none."""
        stand_in = handed_over_as(reference)
        known = not stand_in or self.get(f"/images/{quote(reference)}/json") is not None
        return reference if known else stand_in

    def inspect(self, container: str) -> Any:
        """Return a container as Docker tells it, or None."""
        return self.get(f"/containers/{quote(container)}/json")

    def log(self, container: str, lines: int) -> tuple[bytes, bytes]:
        """Return the last lines of a container that has no terminal, both streams apart."""
        path = f"/containers/{quote(container)}/logs?stdout=1&stderr=1&tail={lines}"
        response = self._look(path)
        self._expect(response, f"read the log of {container}")
        frames, _ = _frames(response.body)
        stdout, stderr = (
            b"".join(text for stream, text in frames if stream == wanted) for wanted in (1, 2)
        )
        return stdout, stderr

    def execute(
        self,
        container: str,
        argv: list[str],
        stdin: bytes = b"",
        *,
        timeout: float = 30.0,
        user: str = "",
    ) -> tuple[int, bytes, bytes]:
        """Run a command inside a running container; secrets go through stdin only."""
        sys.audit("kbz.container", argv, stdin)
        deadline = time.monotonic() + timeout
        options = {
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
            "Cmd": argv,
            "User": user,
        }
        created = self.act("POST", f"/containers/{quote(container)}/exec", options)
        with self._connect(timeout) as connection:
            body = json_text.dumps({"Detach": False, "Tty": False}).encode()
            http.send_request(
                connection,
                "POST",
                f"/exec/{created['Id']}/start",
                {"Content-Type": "application/json", "Upgrade": "tcp"},
                body,
            )
            status, headers, rest = http.read_head(connection, deadline)
            if status not in (101, 200):
                body = http.read_body(connection, deadline, headers, rest)
                self._expect(http.Response(status, body), f"run {argv[0]} in {container}")
            try:
                connection.sendall(stdin)
                connection.shutdown(_socket.SHUT_WR)
            except OSError:
                pass  # it ended without reading: its exit code will tell
            try:
                stdout, stderr = _split_streams(connection, rest, deadline)
            except http.LateAnswerError:
                raise AgentError(
                    f"{argv[0]} in container {container} did not end within {timeout:g} s"
                ) from None
        exit_code = self.get(f"/exec/{created['Id']}/json")["ExitCode"]
        return int(exit_code if exit_code is not None else 255), stdout, stderr

    def run_once(
        self, image: str, argv: list[str], binds: list[str], *, timeout: float = 60.0
    ) -> tuple[int, str]:
        """Run a short-lived container without a network and return its exit code and output."""
        options = {
            "Image": self.name_of(image),
            "Cmd": argv,
            "Entrypoint": [],
            "HostConfig": {"Binds": binds, "NetworkMode": "none"},
            "Labels": {"kbz.purpose": "validator"},
        }

        def remove(identity: str) -> None:
            self.act("DELETE", f"/containers/{identity}?force=1&v=1")

        container, ticket = CLEANUPS.begin(
            lambda: str(self.act("POST", "/containers/create", options)["Id"]), remove
        )
        try:
            self.act("POST", f"/containers/{container}/start")
            status = self.act("POST", f"/containers/{container}/wait", timeout=timeout)[
                "StatusCode"
            ]
            logs = self.call("GET", f"/containers/{container}/logs?stdout=1&stderr=1").body
        finally:
            remove(container)
            CLEANUPS.forget(ticket)
        return int(status), _join_log(logs)

    def _connect(self, timeout: float) -> http.Connection:
        if self._hangs:
            raise DockerUnavailableError(self._hangs, "systemctl restart docker")
        try:
            return http.connect_unix(self.path, timeout)
        except OSError as error:
            raise DockerUnavailableError(
                f"Docker does not answer on {self.path}: {error.strerror or error}",
                "systemctl status docker",
            ) from None

    def _expect(self, response: http.Response, what: str) -> None:
        if response.status < 400:
            return
        answer = response.json()
        text = (
            answer.get("message", "")
            if isinstance(answer, dict)
            else response.body[:500].decode(errors="replace")
        )
        raise AgentError(f"Docker refused to {what}: {text} (status {response.status})", "")


def _frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Split Docker's multiplexed stream into (stream, payload) and the unfinished rest."""
    frames = []
    while len(data) >= 8:
        stream, size = struct.unpack(">BxxxI", data[:8])
        if len(data) < 8 + size:
            break
        frames.append((stream, data[8 : 8 + size]))
        data = data[8 + size :]
    return frames, data


def _split_streams(
    connection: http.Connection, rest: bytes, deadline: float
) -> tuple[bytes, bytes]:
    outputs: dict[int, list[bytes]] = {1: [], 2: []}
    while True:
        frames, rest = _frames(rest)
        for stream, payload in frames:
            outputs.setdefault(stream, []).append(payload)
        try:
            block = http.receive(connection, deadline)
        except http.BrokenConnectionError:  # it left some of its input unread
            block = b""
        if not block:
            return b"".join(outputs[1]), b"".join(outputs[2])
        rest += block


def _join_log(data: bytes) -> str:
    frames, _ = _frames(data)
    return b"".join(payload for _, payload in frames).decode(errors="replace")
