"""What a command needs is known before a host is touched: with a journal that takes nothing, none is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nornir.core.processor import Processors
from nornir.core.task import Task

from keybuzz.engine.backup.take import run as take_backup
from keybuzz.engine.change.execute import execute_everywhere
from keybuzz.engine.change.recover import Operator, recover
from keybuzz.engine.change.remove_account import RemoveWords, remove_account
from keybuzz.engine.change.rotate import RotateWords, rotate
from keybuzz.engine.change.run import RunRequest, run
from keybuzz.engine.drill.drill import DrillRequest, drill
from keybuzz.engine.images.mirror import MirrorRequest, mirror
from keybuzz.engine.maintain.maintenance import OffRequest, take_off
from keybuzz.engine.maintain.switchover import SwitchoverRequest, switchover
from keybuzz.engine.memory.database import open_database
from keybuzz.engine.memory.forgetful import open_journal
from keybuzz.engine.roll.restart import RestartRequest, restart
from keybuzz.engine.scripted import Scripted
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import RefusedError
from keybuzz.site.files.private import StateError
from keybuzz.site.sources import Sources, sources_of
from tests.unit.engine.memory.test_forgetful import BREAKS, HOSTS, REDIS, full, locked, workspace
from tests.unit.support.scripted_hosts import Json, Script, scripted

ROOT = Path(__file__).parents[4]


def converge(workspace: Workspace) -> None:
    """Do what a task of a Nornir script does."""
    nornir = workspace.nornir
    nornir.config.user_defined["site"] = workspace.site
    host = nornir.inventory.hosts[min(HOSTS)]
    alone = nornir.filter(filter_func=lambda one: one.name in HOSTS)
    task = Task(Scripted, alone, False, Processors())
    task.host = host
    with Scripted("converge", REDIS[0]).changing(task):
        pass


CHANGES: dict[str, Callable[[Workspace], object]] = {
    "keybuzz/engine/change/run.py": lambda work: run(work, RunRequest(REDIS, HOSTS)),
    "keybuzz/engine/roll/restart.py": lambda work: restart(work, RestartRequest(REDIS[0], HOSTS)),
    "keybuzz/engine/maintain/maintenance.py": lambda work: take_off(
        work, OffRequest("redis-01", lambda: None)
    ),
    "keybuzz/engine/maintain/switchover.py": lambda work: switchover(
        work, SwitchoverRequest("redis")
    ),
    "keybuzz/engine/change/recover.py": lambda work: recover(
        work, "galera", Operator(lambda found, host: None, lambda cluster, host: cluster), 0.0, 60.0
    ),
    "keybuzz/engine/change/rotate.py": lambda work: rotate(work, RotateWords("redis", 0.0, 60.0)),
    "keybuzz/engine/change/remove_account.py": lambda work: remove_account(
        work, RemoveWords("patroni", "bob", 0.0, 60.0)
    ),
    "keybuzz/engine/change/execute.py": lambda work: execute_everywhere(
        work, ("redis",), ("true",), 5.0
    ),
    "keybuzz/engine/backup/take.py": lambda work: take_backup(work, "postgres"),
    "keybuzz/engine/images/mirror.py": lambda work: mirror(work, MirrorRequest(REDIS, HOSTS)),
    "keybuzz/engine/scripted.py": converge,
    "keybuzz/engine/drill/drill.py": lambda work: drill(work, DrillRequest("redis"), faults()),
}
"""By the file that takes the leases: one call of each verb that changes hosts."""


UNREAD = Sources()


def faults() -> Any:
    return None


class Listening(Script):
    """Hosts that remember who was greeted or asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.greetings = self  # type: ignore[assignment]  # only `get` is called

    def get(self, host: str, hello: bytes) -> bytes:
        self.asked.append(host)
        return hello

    def __call__(self, host: str, request: Json) -> Iterable[bytes]:
        self.asked.append(host)
        return super().__call__(host, request)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state" / "journal.sqlite"


def begin(change: str, path: Path, sources: Sources = UNREAD) -> tuple[Exception, list[str]]:
    """Do a change; return what ended it, and the hosts that were touched."""
    hosts = Listening()
    made = workspace(path)
    work = replace(made, nornir=scripted(hosts), site=replace(made.site, sources=sources))
    with pytest.raises(Exception) as caught:  # noqa: PT011  # which one, is for the caller
        CHANGES[change](work)
    return caught.value, hosts.asked


def test_every_file_that_takes_leases_is_here() -> None:
    words = ("import claimed", "claims import")
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "keybuzz").rglob("*.py")
        if any(word in path.read_text() for word in words)
    }
    assert found == set(CHANGES)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", BREAKS)
def test_a_journal_that_cannot_be_used_is_told_before_a_host_is_touched(
    path: Path, kind: str, change: str
) -> None:
    BREAKS[kind](path)
    error, asked = begin(change, path)
    assert isinstance(error, (sqlite3.Error, OSError, StateError))
    assert asked == []


@pytest.mark.parametrize("change", CHANGES)
def test_so_is_one_without_room(path: Path, change: str) -> None:
    with full(path):
        error, asked = begin(change, path)
    assert "full" in str(error)
    assert asked == []


@pytest.mark.parametrize("change", CHANGES)
def test_so_is_one_that_another_process_holds(
    path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command waits for it, by default for longer than a test should."""

    def soon(path: Path, wait: float) -> sqlite3.Connection:
        return open_database(path, min(wait, 0.2))

    monkeypatch.setattr("keybuzz.engine.memory.journal.open_database", soon)
    with locked(path):
        error, asked = begin(change, path)
    assert "locked" in str(error)
    assert asked == []


@pytest.mark.parametrize("change", CHANGES)
def test_a_site_that_changed_is_told_before_a_host_is_touched(path: Path, change: str) -> None:
    """It was read before the leases were held: their holder may have rotated a password meanwhile."""
    file = path.parent / "site.yaml"
    file.write_text("old")
    sources = sources_of([file])
    file.write_text("new")
    error, asked = begin(change, path, sources)
    assert isinstance(error, RefusedError)
    assert (error.where, "run it again" in error.hint, asked) == (str(file), True, [])


def test_a_sound_journal_is_as_large_after_each_question(path: Path) -> None:
    journal = open_journal(path, 1.0)
    journal.require_room()
    with journal._open() as database:
        pages = database.execute("pragma page_count").fetchone()
    for _ in range(5):
        journal.require_room()
    with journal._open() as database:
        assert database.execute("pragma page_count").fetchone() == pages
