"""A registry on loopback that serves images under their upstream names, as a mirror of an operator would."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from keybuzz.lab.supply import builder, images
from keybuzz.lab.supply.mirror import Repository
from keybuzz.lab.supply.stand_ins import StandIn
from keybuzz.model.inventory.lab import LabSettings
from tests.lab.conftest import CACHE, until

_PROGRAM = "/usr/bin/docker-registry"


@contextmanager
def own_registry(folder: Path, served: Sequence[StandIn]) -> Iterator[str]:
    """Run it until the block ends, with these images in it; yield its address."""
    port = _free_port()
    config = folder / "registry.json"
    storage = {"filesystem": {"rootdirectory": str(folder / "storage")}}
    address = f"127.0.0.1:{port}"
    config.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": address}}))
    with (folder / "registry.log").open("w") as log:
        process = subprocess.Popen([_PROGRAM, "serve", config], stdout=log, stderr=log)
    try:
        until(lambda: _answers(port), 30, "the registry answers")
        _fill(folder, port, served)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def _fill(folder: Path, port: int, served: Sequence[StandIn]) -> None:
    """Push the lab's own images there, under the names that upstream's have."""
    settings = LabSettings("kbz-own-registry", folder / "lab", CACHE)
    images.ensure(settings, served, lambda host, sentence: None)
    try:
        for one in served:
            archive = folder / "image.tar"
            save = ["save", "--output", str(archive), one.reference]
            builder.docker(settings, save, seconds=600)
            connection = HTTPConnection("127.0.0.1", port, timeout=120)
            Repository(connection, one.reference).push(archive)
            connection.close()
            archive.unlink()
    finally:
        builder.leave(settings)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
