"""The lab's stand-in for MinIO as three processes of their own, on free ports and in folders of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import urllib3
from minio import Minio

IMAGE = Path(__file__).parents[3] / "tasks/minio/stand_in/minio"
USER, PASSWORD = "kb_minio", "PlantedNeedle-1234"
NODES = (1, 2, 3)


class Trio:
    """Three nodes that know each other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = dict(zip(NODES, free_ports(3), strict=True))
        self.console = free_ports(1)[0]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def drive(self, node: int) -> Path:
        """Return the folder of a node's drive."""
        return self.folder / f"drive{node}"

    def urls(self) -> list[str]:
        """Return the drives in their order."""
        return [f"http://127.0.0.1:{self.ports[node]}{self.drive(node)}" for node in NODES]

    def start(self, *nodes: int, urls: list[str] | None = None, password: str = PASSWORD) -> None:
        """Start nodes, without waiting for anything."""
        environment = {
            "PATH": os.environ["PATH"],
            "MINIO_ROOT_USER": USER,
            "MINIO_ROOT_PASSWORD": password,
        }
        for node in nodes:
            self.drive(node).mkdir(parents=True, exist_ok=True)
            argv = [sys.executable, "-m", "minio_server", "server", *(urls or self.urls())]
            argv += [
                "--address",
                f"127.0.0.1:{self.ports[node]}",
                "--console-address",
                "127.0.0.1:0",
            ]
            with (self.folder / f"log{node}").open("ab") as log:
                self._processes[node] = subprocess.Popen(
                    argv, cwd=IMAGE, env=environment, stdout=log, stderr=log
                )

    def kill(self, *nodes: int) -> None:
        """Kill nodes, as a power cut does."""
        for node in nodes:
            process = self._processes.pop(node)
            process.kill()
            process.wait()

    def end(self) -> None:
        """Kill what still runs."""
        self.kill(*self._processes)

    def exit_code(self, node: int) -> int:
        """Wait until a node has ended by itself."""
        return self._processes[node].wait(30)

    def log(self, node: int) -> str:
        """Return what a node has said."""
        return (self.folder / f"log{node}").read_text()

    def health(self, node: int, what: str = "cluster") -> int:
        """Return the status of a health page; 0 when nobody answers."""
        url = f"http://127.0.0.1:{self.ports[node]}/minio/health/{what}"
        try:
            return urllib3.request("GET", url, timeout=3, retries=False).status
        except urllib3.exceptions.HTTPError:
            return 0

    def _healthy(self, node: int) -> bool:
        return self.health(node) == 200

    def until_healthy(self, *nodes: int) -> None:
        """Wait until nodes have the write quorum."""
        for node in nodes:
            until(partial(self._healthy, node), f"node {node}: {self.log(node)}")

    def client(self, node: int, password: str = PASSWORD) -> Any:
        """Return the SDK's client of one node, without its retries."""
        pool = urllib3.PoolManager(retries=False, timeout=10)
        return Minio(
            f"127.0.0.1:{self.ports[node]}",
            access_key=USER,
            secret_key=password,
            secure=False,
            http_client=pool,
        )

    def access(self, node: int, password: str = PASSWORD) -> dict[str, Any]:
        """Return what the agent is told."""
        port = self.ports[node]
        return {"address": "127.0.0.1", "port": port, "user": USER, "password": password}


@contextmanager
def trio(folder: Path, *started: int) -> Iterator[Trio]:
    """Run some of three nodes; all are ended afterwards."""
    made = Trio(folder)
    try:
        made.start(*started)
        if started == NODES:
            made.until_healthy(*NODES)
        yield made
    finally:
        made.end()


def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has, all different."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(server.getsockname()[1]) for server in held]
    for server in held:
        with closing(server):
            pass
    return ports
