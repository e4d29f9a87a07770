"""The worker's own program over a whole site: it takes no other secrets, and none is in what is said."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from keybuzz.engine.catalogue import choose, settled
from keybuzz.engine.look.describe import describe_all
from keybuzz.engine.look.observe import Snapshot, described, observe
from keybuzz.engine.nornir import make_nornir
from keybuzz.engine.shards.fingerprint import program
from keybuzz.engine.shards.places import controller_of
from keybuzz.engine.shards.runner import ShardedRunner
from keybuzz.model.core.access import Access
from keybuzz.model.inventory.shards import BackEnd, ShardOptions
from keybuzz.site.load import Configuration, load_site
from keybuzz.site.site import Site
from tests.flow.support.sshd import running
from tests.unit.support.site_values import PASSWORDS, PLANTED, planted, planted_configuration

HOSTS = ("db-master-01", "redis-01")


@dataclass(frozen=True, slots=True)
class Planted:
    """A site whose secrets are planted, and what its controller and its worker said to each other."""

    folder: Path
    configuration: Configuration
    site: Site

    def look(self, config: Path | None = None) -> Snapshot:
        """Ask two hosts through a worker with its own configuration, all that base, patroni and redis describe."""
        controller = controller_of(self.configuration, self.site)
        argv = [*controller.command[:-1], str(config or self.folder / "nornir_config.yaml")]
        worker = f"tee {self.folder}/to-worker | {' '.join(argv)}"
        # `tee` writes its own output first: what the controller has heard is in the file, whenever it ends the worker.
        heard = f"{{ {worker} | tee /dev/fd/3 > {self.folder}/to-controller; }} 3>&1"
        runner = ShardedRunner(
            ShardOptions(BackEnd.PROCESS, 8), replace(controller, command=("sh", "-c", heard))
        )
        nornir = make_nornir(self.configuration, self.site, Access.LOOK).with_runner(runner)
        chosen = nornir.filter(filter_func=lambda host: host.name in HOSTS)
        found = describe_all(chosen, choose(("patroni", "redis")))
        return observe(chosen, found, Access.LOOK, described)

    def said(self) -> str:
        """Return every line that went either way."""
        return "".join(
            (self.folder / f"to-{name}").read_text() for name in ("worker", "controller")
        )


@pytest.fixture
def whole(tmp_path: Path) -> Planted:
    configuration = planted_configuration(tmp_path)
    return Planted(tmp_path, configuration, settled(load_site(configuration)))


def test_no_secret_and_no_question_is_in_what_is_said(whole: Planted) -> None:
    snapshot = whole.look()
    # This machine is none of the servers: the worker has asked it who it is, and no more.
    assert sorted(snapshot.unreachable) == sorted(HOSTS)
    said = whole.said()
    assert '"kind":"accepted"' in said
    assert said.count('"kind":"silent"') == len(HOSTS)
    assert '"db-master-01":["base","patroni"]' in said
    secrets = [planted(name) for name in PASSWORDS]
    assert not [s for s in (*secrets, PLANTED, whole.site.digest_key.key.hex()) if s in said]
    assert "probe" not in said


def test_a_worker_with_another_password_is_refused(whole: Planted) -> None:
    files = (whole.folder / "credentials").iterdir()
    path = next(path for path in files if planted(PASSWORDS[0]) in path.read_text())
    path.write_text(path.read_text().replace(planted(PASSWORDS[0]), "AnotherPassword-12345"))
    (why,) = set(whole.look().unreachable.values())
    assert "it has another credentials than the controller" in why
    assert "AnotherPassword" not in f"{why}{whole.said()}"


def test_a_worker_without_the_digest_key_makes_none(whole: Planted, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    planted_configuration(other)
    snapshot = whole.look(other / "nornir_config.yaml")
    (why,) = set(snapshot.unreachable.values())
    assert "there is no digest key → copy the controller's there" in why
    assert not (other / "state").exists()


PROCESS = "  plugin: kbz_sharded\n  options: {back_end: process, num_workers: 8, shard_size: 20}\n"
RELAY = """\
  plugin: kbz_sharded
  options:
    back_end: relay
    num_workers: 8
    relays:
      fsn1: {address: 127.0.0.1, port: PORT, python: PYTHON, config: CONFIG}
"""


def kbz(folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Run kbz in a folder; return its exit code and the document that it told."""
    argv = [sys.executable, "-m", "keybuzz.cli.main", *words, "--format", "json"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def choose_runner(whole: Planted, section: str) -> None:
    """Write another runner into nornir_config.yaml."""
    path = whole.folder / "nornir_config.yaml"
    head, _, rest = path.read_text().partition("runner:\n")
    path.write_text(f"{head}runner:\n{section}user_defined:{rest.partition('user_defined:')[2]}")


def test_kbz_workers_shows_and_asks_a_process(whole: Planted) -> None:
    choose_runner(whole, PROCESS)
    code, shown = kbz(whole.folder, "workers", "status")
    here = {"place": "this machine", "by": "process", "regions": [], "hosts": 48, "shards": 3}
    assert (code, shown["places"]) == (0, [here])
    code, shown = kbz(whole.folder, "workers", "check")
    (worker,) = shown["workers"]
    assert (code, worker["verdict"], worker["kbz"]) == (0, "ready", program())


def test_kbz_workers_asks_a_relay_and_tells_what_is_wrong_there(whole: Planted) -> None:
    relay = whole.folder / "relay"
    (relay / "sshd").mkdir(parents=True)
    with running(relay / "sshd") as server:
        overlay = whole.folder / "overlay.yaml"
        keys = f"  key_filename: {server.key}\n  known_hosts: {server.known_hosts}\n"
        overlay.write_text(overlay.read_text() + keys)
        config = whole.folder / "nornir_config.yaml"
        words = {"PORT": str(server.port), "PYTHON": sys.executable, "CONFIG": str(config)}
        section = RELAY
        for word, value in words.items():
            section = section.replace(word, value)
        choose_runner(whole, section)
        code, shown = kbz(whole.folder, "workers", "check")
        verdicts = {worker["place"]: worker["verdict"] for worker in shown["workers"]}
        assert (code, verdicts) == (0, {"this machine": "ready", "fsn1": "ready"})

        choose_runner(whole, section.replace(str(config), str(relay / "none.yaml")))
        code, shown = kbz(whole.folder, "workers", "check")
        (found,) = [worker for worker in shown["workers"] if worker["place"] == "fsn1"]
        assert (code, found["verdict"]) == (3, "refuses")
        assert f"{relay}/none.yaml: there is no such file" in found["what"]

        choose_runner(whole, section.replace(sys.executable, "/no/python"))
        code, shown = kbz(whole.folder, "workers", "check")
        (found,) = [worker for worker in shown["workers"] if worker["place"] == "fsn1"]
        assert (code, found["verdict"]) == (4, "unreachable")
    code, shown = kbz(whole.folder, "workers", "check")
    (found,) = [worker for worker in shown["workers"] if worker["place"] == "fsn1"]
    assert (code, found["verdict"]) == (4, "unreachable")
    assert "Connection refused" in found["what"]
