"""`kbz serve` as a process of its own on loopback, over a site whose journal a test fills."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path

from tests.flow.support.sshd import until
from tests.unit.support.site_values import configuration_text

ROOT = Path(__file__).parents[3]
SECONDS = 60
"""For one answer; the machine is shared."""


@dataclass(frozen=True, slots=True)
class Got:
    """An answer."""

    status: int
    headers: HTTPMessage
    text: str


@dataclass(frozen=True, slots=True)
class Serving:
    """A process that serves."""

    process: subprocess.Popen[bytes]
    said: Path
    """What it says on stderr."""
    port: int
    journal: Path

    def get(
        self, target: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Got:
        """Ask for something over a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, target, headers=dict(headers or {}))
            found = connection.getresponse()
            return Got(found.status, found.headers, found.read().decode())
        finally:
            connection.close()

    @property
    def url(self) -> str:
        """The address of its page."""
        return f"http://127.0.0.1:{self.port}/"

    def lines(self) -> list[str]:
        """Return what it has said so far on stderr."""
        return self.said.read_text().splitlines()


def site(folder: Path) -> tuple[Path, Path]:
    """Make a site over the real inventory; return its configuration and its journal, which is not there yet."""
    (folder / "overlay.yaml").write_text(
        f"paths: {{state: {folder}/state, credentials: {folder}/credentials}}\n"
    )
    config = folder / "nornir_config.yaml"
    config.write_text(configuration_text(folder))
    return config, folder / "state" / "journal.sqlite"


def command(config: Path, *words: str) -> list[str]:
    """Return the command line of `kbz serve`."""
    return [sys.executable, "-m", "keybuzz.cli.main", "--config", str(config), "serve", *words]


@contextmanager
def serving(folder: Path, *before: str, listen: str = "127.0.0.1:0") -> Iterator[Serving]:
    """Yield a process that serves a site made in a folder; `before` are words before its command line."""
    config, journal = site(folder)
    said = folder / "stderr"
    argv = [*before, *command(config, "--listen", listen)]
    with served(argv, ROOT, said, journal) as server:
        yield server


@contextmanager
def served(
    argv: list[str],
    folder: Path,
    said: Path,
    journal: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Serving]:
    """Yield a process that serves; `folder` is where it is started, `said` takes its stderr."""
    with said.open("wb") as stream:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stderr=stream,
        )
    try:
        yield Serving(process, said, _port(process, said), journal)
    finally:
        process.kill()
        process.wait(SECONDS)


def _port(process: subprocess.Popen[bytes], said: Path) -> int:
    line = re.compile(r"^serves http://\S+:(\d+)/ ", re.MULTILINE)
    until(
        lambda: line.search(said.read_text()) or process.poll() is not None,
        "the server to listen",
        SECONDS,
    )
    found = line.search(said.read_text())
    assert found, said.read_text()
    return int(found[1])
