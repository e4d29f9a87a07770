"""The lab ring's own site: the repository's files, with a lab of another name beside any demo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keybuzz.lab.hosts.host import entry
from keybuzz.model.core.errors import KbzError
from keybuzz.model.inventory.lab import LabSettings
from tests.conftest import chain_of
from tests.support import warm

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = Path("/var/cache/kbz-lab")
LAB = "kbz-test"
SERVERS = 48
"""All of servers.tsv."""
SERVICES = ("--limit", "db,redis,queue,minio,galera,haproxy,proxysql")
"""The servers that carry a service for applications."""
SERVICE_HOSTS = 19
"""How many these are."""
ONE_LOOK = 1
"""Requests to a host in a run that changes nothing: its lease comes with the connection."""
DB = ("db-master-01", "db-slave-01", "db-slave-02")


@dataclass(frozen=True)
class Done:
    """One finished call of kbz."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.stdout)
        return document


@dataclass(frozen=True)
class Kbz:
    """The command line, as an operator has it, on the test lab's site."""

    config: Path
    root: Path

    def argv(self, *words: str) -> list[str]:
        """Return the whole command line; a destructive verb gets its typed name, as from a script."""
        return [sys.executable, "-m", "keybuzz.cli.main", *self.words(*words)]

    def words(self, *words: str) -> list[str]:
        """Return what follows the program's name."""
        return ["--config", str(self.config), *words, *self._typed_name(words)]

    def _typed_name(self, words: tuple[str, ...]) -> list[str]:
        if "--confirm" in words:
            return []
        if words[:2] == ("lab", "down") and "--wipe" in words:
            return ["--confirm", self.root.name]
        if words[:2] in (("hosts", "forget"), ("secrets", "rotate")):
            return ["--confirm", words[2]]
        return []

    def __call__(self, *words: str, timeout: float = 600) -> Done:
        return Done(*warm.call(self.words(*words), timeout))

    def good(self, *words: str, timeout: float = 600) -> Done:
        """Call it and insist on exit code 0."""
        done = self(*words, timeout=timeout)
        assert done.code == 0, f"kbz {' '.join(words)}: {done.code}\n{done.stdout}\n{done.stderr}"
        return done

    def on(self, host: str, script: str) -> str:
        """Run a shell script inside a lab host, past SSH and kbz's own agent; it must succeed.

        As `kbz lab exec` does, without a process of kbz for each of many hundred calls.
        """
        try:
            inside = entry(LabSettings(self.root.name, self.root, CACHE), host)
        except KbzError as error:
            raise AssertionError(f"{host}: {error}") from error
        done = subprocess.run(
            [*inside, "sh", "-c", script],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{host}: {script}: {done.stdout}{done.stderr}"
        return done.stdout


def until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Poll until the condition holds; return how long that took.

    Between two looks is twice as much rest as one took: looks must not take the cores from what is waited for.
    """
    started = time.monotonic()
    while True:
        before = time.monotonic()
        if condition():
            return time.monotonic() - started
        now = time.monotonic()
        assert now - started < seconds, f"not within {seconds:g} s: {what}"
        time.sleep(min(max(0.25, 2 * (now - before)), 6.0))


def write_site(folder: Path, name: str) -> Kbz:
    """Write a nornir_config.yaml whose lab has this name; everything else is the repository's.

    The lab's root is always the same, so that what a crashed session left is found and removed by the next.
    """
    root = Path("/var/lib") / name
    overlay = (REPOSITORY / "inventory/lab.yaml").read_text()
    overlay = overlay.replace("/var/lib/kbz-lab", str(root)).replace(
        "name: kbz-lab", f"name: {name}"
    )
    (folder / "lab.yaml").write_text(overlay)
    config = (REPOSITORY / "nornir_config.yaml").read_text()
    config = config.replace("overlay: inventory/lab.yaml", f"overlay: {folder}/lab.yaml")
    config = config.replace("inventory/", f"{REPOSITORY}/inventory/")
    (folder / "nornir_config.yaml").write_text(config)
    return Kbz(folder / "nornir_config.yaml", root)


@contextmanager
def bare_lab(
    folder: Path, name: str, *limit: str, prepare: Callable[[Kbz], None] = lambda made: None
) -> Iterator[Kbz]:
    """Run a lab of bare servers, with fresh credentials, until the block ends; nothing of it is left then.

    `prepare` may edit the site before its servers come up.
    """
    if os.geteuid() != 0:
        pytest.skip("the lab's network namespaces and containers need root")
    made = write_site(folder, name)
    prepare(made)
    made.good("lab", "down", "--wipe")
    try:
        started = time.monotonic()
        made.good("lab", "up", *limit, timeout=1800)
        print(f"lab up: {time.monotonic() - started:.0f} s")
        made.good("secrets", "init")
        yield made
    finally:
        warm.end_all(made.config)
        made.good("lab", "down", "--wipe")


@pytest.fixture(scope="session")
def shared() -> Iterator[ExitStack]:
    """What the files of a chain share: gone after the last of them, and when the session ends."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module", autouse=True)
def end_of_chain(request: pytest.FixtureRequest, shared: ExitStack) -> Iterator[None]:
    """Take the shared lab down when no file of its chain is left: servers that idle take the cores from others."""
    yield
    chain = chain_of(request.node.nodeid)
    files = [item.path for item in request.session.items if chain_of(item.nodeid) == chain]
    if request.path == files[-1]:
        shared.close()


@pytest.fixture(scope="session")
def bring_up(tmp_path_factory: pytest.TempPathFactory, shared: ExitStack) -> Callable[..., Kbz]:
    """Give what `bare_lab` gives for a name and a limit; the lab ends as `shared` does."""
    return lambda name, *limit: shared.enter_context(
        bare_lab(tmp_path_factory.mktemp("site"), name, *limit)
    )


@pytest.fixture(scope="session")
def kbz(bring_up: Callable[..., Kbz]) -> Kbz:
    """A lab of three bare database servers and fresh credentials."""
    return bring_up(LAB, "--limit", "db")


@pytest.fixture(scope="session")
def postgres_lab(bring_up: Callable[..., Kbz]) -> Kbz:
    """A lab of three bare database servers, two bare entry servers and a bare backup-01, with fresh credentials."""
    return bring_up("kbz-postgres", "--limit", "db,haproxy,backup")


@pytest.fixture(scope="session")
def mariadb_lab(bring_up: Callable[..., Kbz]) -> Kbz:
    """A lab of three bare MariaDB servers, two bare ones for ProxySQL and a bare backup-01, with fresh credentials."""
    return bring_up("kbz-mariadb", "--limit", "galera,proxysql,backup")


@pytest.fixture(scope="session")
def redis_lab(bring_up: Callable[..., Kbz]) -> Kbz:
    """A lab of three bare Redis servers, two bare entry servers and a bare backup-01, with fresh credentials."""
    return bring_up("kbz-redis", "--limit", "redis,haproxy,backup")


@pytest.fixture(scope="session")
def queue_lab(bring_up: Callable[..., Kbz]) -> Kbz:
    """A lab of three bare queue servers, two bare entry servers and a bare backup-01, with fresh credentials."""
    return bring_up("kbz-rabbit", "--limit", "rabbitmq,haproxy,backup")


@pytest.fixture(scope="session")
def minio_lab(bring_up: Callable[..., Kbz]) -> Kbz:
    """A lab of three bare MinIO servers and a bare backup-01, with fresh credentials."""
    return bring_up("kbz-minio", "--limit", "minio,backup")


@pytest.fixture(scope="session")
def k3s_lab(bring_up: Callable[..., Kbz]) -> Kbz:
    """A lab of eight bare servers for K3s and a bare backup-01, with fresh credentials."""
    return bring_up("kbz-k3s", "--limit", "k3s,backup")


@pytest.fixture(scope="session")
def services_lab(bring_up: Callable[..., Kbz]) -> Kbz:
    """A lab of all servers that carry a service for applications, bare, with fresh credentials."""
    return bring_up("kbz-services", *SERVICES)


@pytest.fixture(scope="module")
def cluster(kbz: Kbz) -> None:
    """The Patroni cluster stands, whatever ran before."""
    kbz.good("run", "patroni", "--limit", "db")
