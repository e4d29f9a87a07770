"""A pool on loopback as an operator starts it: a scheduler and a worker, with certificates of a CA made for it."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from keybuzz.model.inventory.shards import Pool, Tls
from tests.flow.shards.tls import Ca, make_ca
from tests.flow.support.agent_host import ROOT
from tests.flow.support.sshd import free_port

REGION = "fsn1"


class Wire:
    """A port in front of another one, whose connections can be cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._open: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all that goes through it, and let nothing more in."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near = self._server.accept()[0]
                far = socket.create_connection(("127.0.0.1", self._to))
                self._open += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=_pour, args=pair, daemon=True).start()


def _pour(source: socket.socket, into: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            into.sendall(data)
    with suppress(OSError):
        into.shutdown(socket.SHUT_WR)


@dataclass(frozen=True, slots=True)
class StandingPool:
    """A pool that runs."""

    folder: Path
    ca: Ca
    controller: Tls
    port: int
    """Of its scheduler."""

    def as_seen(self, port: int | None = None, tls: Tls | None = None) -> Pool:
        """Return what a controller's configuration has."""
        address = f"127.0.0.1:{port or self.port}"
        return Pool(address, (REGION,), tls or self.controller)

    @contextmanager
    def worker(self, python: Path, name: str, port: int | None = None) -> Iterator[int]:
        """Run a worker of this name until the block ends; yields its pid."""
        more = ("--scheduler", f"127.0.0.1:{port or self.port}", "--region", REGION)
        config = ("--config", str(self.folder))
        with _serving((str(python),), (*config,), "serve", self.ca.certify(name), more) as pid:
            yield pid


@contextmanager
def standing(folder: Path, python: Path) -> Iterator[StandingPool]:
    """Run a scheduler."""
    ca = make_ca(folder / "tls")
    port, tls = free_port(), ca.certify("scheduler")
    with _serving((str(python),), (), "scheduler", tls, (), port):
        yield StandingPool(folder, ca, ca.certify("controller"), port)


@contextmanager
def _serving(
    python: tuple[str, ...],
    config: tuple[str, ...],
    verb: str,
    tls: Tls,
    more: tuple[str, ...],
    port: int = 0,
) -> Iterator[int]:
    files = ("--ca", str(tls.ca), "--cert", str(tls.cert), "--key", str(tls.key))
    listen = ("--listen", f"127.0.0.1:{port or free_port()}")
    argv = (*python, "-m", "keybuzz.cli.main", *config, "workers", verb, *listen, *files, *more)
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "scheduler" in process.stdout.readline()
            yield process.pid
        finally:
            process.terminate()
            process.wait(60)
