"""The lab's stand-in for Qdrant as a process of its own: the agent and the client of a drill speak with it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from keybuzz.agent.readings.table import ask
from keybuzz.engine.drill.client import client_of
from keybuzz.model.core.secret import Secret
from keybuzz.model.reports.drill import Workload
from keybuzz.site.drill import NotSentError, UnconfirmedError
from tasks.qdrant.agent.marks import mark_qdrant
from tasks.qdrant.readings import QdrantLook
from tasks.qdrant.service import QDRANT

IMAGE = Path(__file__).parents[3] / "tasks/qdrant/stand_in/qdrant"
KEY = "PlantedNeedle-1234"


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        return int(taken.getsockname()[1])


class Server:
    """One server with a storage folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self._grpc = folder, free_port(), free_port()
        (folder / "storage").mkdir()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(IMAGE),
            "QDRANT__SERVICE__HOST": "127.0.0.1",
            "QDRANT__SERVICE__HTTP_PORT": str(self.port),
            "QDRANT__SERVICE__GRPC_PORT": str(self._grpc),
            "QDRANT__SERVICE__API_KEY": KEY,
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "qdrant_server"],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                assert self.get("/readyz", "")[0] == 200
            except ConnectionRefusedError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                continue
            return
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        """End it without a warning."""
        self.process.kill()
        self.process.wait(30)

    def get(self, path: str, key: str = KEY) -> tuple[int, str]:
        """Return the status and the text of an answer."""
        return self.ask("GET", path, None, key)

    def ask(self, method: str, path: str, body: object, key: str = KEY) -> tuple[int, str]:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            headers = {"api-key": key} if key else {}
            connection.request(method, path, json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def look(self, key: str = KEY) -> dict[str, Any]:
        """Return what the agent tells of it."""
        return ask(QdrantLook("node", "127.0.0.1", self.port, Secret("KEY", key)).query())

    def workload(self, key: str = KEY) -> Workload:
        return Workload(QDRANT, "127.0.0.1", self.port, "", Secret("KEY", key))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    made.start()
    yield made
    made.kill()


def test_without_the_key_only_health_and_version_are_told(server: Server) -> None:
    assert server.get("/", "")[0] == server.get("/healthz", "")[0] == 200
    assert server.get("/readyz", "") == (200, "all shards are ready")
    assert server.get("/collections", "")[0] == 401
    assert server.get("/collections", "another")[0] == 401
    assert server.get("/collections")[0] == 200


def test_the_agent_tells_version_readiness_and_the_key(server: Server) -> None:
    good = {"version": "1.19.0", "ready": True, "accepted": True, "reason": "", "guarded": True}
    assert server.look() == {"value": {**good, "collections": 0}}
    refused = server.look("another")["value"]
    assert (refused["accepted"], refused["guarded"]) == (False, True)
    assert "qdrant.env" in refused["reason"]
    server.kill()
    assert "does not answer" in server.look()["problem"]
    server.start()


def test_what_was_acknowledged_is_there_after_a_kill(server: Server) -> None:
    client = client_of(server.workload())
    client.prepare()
    for number in range(25):
        client.write(number)
    server.kill()
    with pytest.raises((NotSentError, UnconfirmedError)):
        client.write(25)
    server.start()
    assert client.read() >= frozenset(range(25))
    client.remove()
    assert server.look()["value"]["collections"] == 0
    client.close()


def test_a_write_that_was_cut_off_is_dropped_at_the_start(server: Server) -> None:
    client = client_of(server.workload())
    client.prepare()
    client.write(1)
    server.kill()
    with (server.folder / "storage/collections/log.jsonl").open("ab") as log:
        log.write(b'{"upsert": "kbz_drill", "points": [{"id"')
    client.close()
    server.start()
    assert client.read() == {1}
    client.write(2)
    assert client.read() == {1, 2}
    client.close()


def test_another_key_is_no_confirmed_write_and_repeats_no_secret(server: Server) -> None:
    client = client_of(server.workload("another-needle"))
    with pytest.raises(UnconfirmedError, match="401") as caught:
        client.write(1)
    assert "needle" not in str(caught.value)
    client.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/collections/none", None, 404, "`none` doesn't exist!"),
        ("PUT", "/collections/shop", {"vectors": {"size": 2, "distance": "Dot"}}, 409, "already"),
        ("PUT", "/collections/other", {"vectors": {"size": 0, "distance": "Dot"}}, 400, "size"),
        ("PUT", "/collections/shop/points", {"points": []}, 422, "points"),
        ("PUT", "/collections/shop/points", {"points": [{"id": 1, "vector": [1]}]}, 400, "got 1"),
        ("PUT", "/collections/shop/points", {"points": [{"id": -1, "vector": [1, 2]}]}, 400, "ID"),
    ],
)
def test_what_qdrant_refuses_is_refused(
    server: Server, method: str, path: str, body: object, status: int, words: str
) -> None:
    made = {"vectors": {"size": 2, "distance": "Dot"}}
    assert server.ask("PUT", "/collections/shop", made)[0] == 200
    code, said = server.ask(method, path, body)
    assert (code, words in said) == (status, True), said


def test_its_storage_is_recognised_by_what_lies_in_it(server: Server) -> None:
    storage = server.folder / "storage"
    kinds = {path.name: path.stat().st_mode & 0o170000 for path in storage.iterdir()}
    assert mark_qdrant(str(storage), kinds) == ""
    assert mark_qdrant(str(server.folder), {"storage": 0o040000}) is None
