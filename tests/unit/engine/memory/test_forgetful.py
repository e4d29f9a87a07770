"""A journal that is damaged, locked, full or read-only: looks go on and say so, and a change does not begin."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.drift.drift import DriftRequest
from keybuzz.engine.drift.drift import drift as look_for_drift
from keybuzz.engine.memory.forgetful import open_journal, read_or
from keybuzz.engine.memory.outcomes import in_journal, remember
from keybuzz.engine.verbs import look, recorded
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import UsageError
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.plan import Plan
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.site.files.private import StateError
from tests.unit.support.scripted_hosts import SITE, Script, scripted

REDIS = tuple(module for module in all_modules() if module.name == "redis")
HOSTS = frozenset({"redis-01", "redis-02", "redis-03"})
Break = Callable[[Path], object]


def damaged(path: Path) -> None:
    path.write_bytes(b"this is no database, and long enough to be seen as none\n" * 100)


def damaged_inside(path: Path) -> None:
    open_journal(path, 1.0)
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))


def a_folder(path: Path) -> None:
    path.mkdir()


def no_folder(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("in its place")


def a_link(path: Path) -> None:
    path.with_name("elsewhere").write_bytes(b"")
    path.symlink_to("elsewhere")


def of_all(path: Path) -> None:
    path.touch()
    path.chmod(0o666)


BREAKS: dict[str, Break] = {
    "a link": a_link,
    "a pipe": os.mkfifo,
    "writable by all": of_all,
    "damaged": damaged,
    "damaged inside": damaged_inside,
    "a folder": a_folder,
    "no folder": no_folder,
}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the journal for writing, as another process may for any time."""
    with open_journal(path, 1.0)._open() as other:
        other.execute("begin immediate")
        yield
        other.rollback()


@contextmanager
def full(path: Path) -> Iterator[None]:
    """Let no write find room: SQLite's own limit on pages tells the same as a full disk."""
    journal = open_journal(path, 1.0)
    with pytest.MonkeyPatch.context() as patch:
        plain = type(journal)._open

        def cramped(self: object) -> sqlite3.Connection:
            database = plain(self)  # type: ignore[arg-type]  # the same object
            pages = database.execute("pragma page_count").fetchone()[0]
            database.execute(f"pragma max_page_count = {pages}")
            database.execute("create temp table ballast (x)")
            return database

        patch.setattr(type(journal), "_open", cramped)
        with journal._open() as database:
            text = "x" * 4000
            try:
                while True:
                    database.execute("insert into marks values (null, ?)", (text,))
            except sqlite3.OperationalError:
                pass
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state" / "journal.sqlite"


def workspace(path: Path, wait: float = 0.2) -> Workspace:
    settings = replace(SITE.settings, state=path.parent)
    site = replace(SITE, settings=settings)
    return Workspace(
        site, scripted(Script()), open_journal(path, wait), lambda event: None, "kbz x"
    )


def assert_looked(report: Report) -> None:
    assert report.checked == (3, 3)
    assert report.number == 0
    (warning,) = (text for text in report.warnings if "not remembered" in text)
    assert warning.isprintable()


@pytest.mark.parametrize("kind", BREAKS)
def test_looks_go_on_and_say_that_they_are_not_remembered(path: Path, kind: str) -> None:
    BREAKS[kind](path)
    work = workspace(path)
    assert_looked(recorded(work, "health", REDIS, lambda: look(work, "health", REDIS, HOSTS)))
    assert_looked(look_for_drift(work, DriftRequest(REDIS, HOSTS, all_modules())))
    with pytest.raises(UsageError, match="no set is named @failed"):
        work.select(REDIS, ("all,!@failed",))


@pytest.mark.parametrize(
    "cell",
    [
        "runs set arguments = '[cut'",
        "runs set modules = '[cut'",
        "runs set started = 'soon'",
        "outcomes set outcome = 'flipped'",
    ],
)
def test_a_damaged_cell_stops_no_look(path: Path, cell: str) -> None:
    """SQLite finds nothing wrong with it, and no command wrote it."""
    before = workspace(path)
    with in_journal(before, "run", REDIS) as number:
        remember(before, number, a_report())
    with before.journal._open() as database:
        database.execute(f"update {cell}")
    work = workspace(path)
    report = recorded(work, "health", REDIS, lambda: look(work, "health", REDIS, HOSTS))
    assert report.checked == (3, 3)
    assert look_for_drift(work, DriftRequest(REDIS, HOSTS, all_modules())).checked == (3, 3)
    journal = open_journal(path, 0.2)
    for read in (lambda: journal.runs(5), lambda: journal.hosts(number), journal.sets):
        read_or(journal, read, None)
    assert "not remembered" in journal.trouble


def test_a_journal_that_another_process_holds_stops_no_look(path: Path) -> None:
    with locked(path):
        work = workspace(path)
        assert_looked(recorded(work, "health", REDIS, lambda: look(work, "health", REDIS, HOSTS)))
        assert "locked" in work.journal.trouble
        with (
            pytest.raises(sqlite3.OperationalError, match="locked"),
            in_journal(work, "run", REDIS),
        ):
            raise AssertionError("it began")


def test_a_full_disk_stops_no_look(path: Path) -> None:
    with full(path):
        work = workspace(path)
        report = recorded(work, "health", REDIS, lambda: look(work, "health", REDIS, HOSTS))
    assert report.checked == (3, 3)
    assert any("not remembered" in text and "full" in text for text in report.warnings)


@pytest.mark.parametrize("kind", BREAKS)
def test_a_change_says_so_before_it_asks_a_host(path: Path, kind: str) -> None:
    BREAKS[kind](path)
    work = workspace(path)
    with pytest.raises((sqlite3.Error, StateError)), in_journal(work, "run", REDIS):
        raise AssertionError("it began")


def a_report() -> Report:
    hosts = {host: HostReport(host, Outcome.CHANGED, 1) for host in sorted(HOSTS)}
    return Report("run", ("redis",), hosts, Plan({}), (), (), 1.0)


def test_a_journal_that_is_lost_at_the_end_of_a_run_does_not_keep_the_report_back(
    path: Path,
) -> None:
    work = workspace(path)
    with in_journal(work, "run", REDIS) as number, locked(path):
        report = remember(work, number, a_report())
    assert (report.number, report.exit_code) == (number, ExitCode.GOOD)
    assert {host: item.changed for host, item in report.hosts.items()} == dict.fromkeys(HOSTS, 1)
    assert any("not remembered" in text for text in report.warnings)


@pytest.mark.parametrize(
    ("error", "code", "note"),
    [
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "interrupted"),
        (
            ZeroDivisionError("x"),
            ExitCode.FAILED,
            "kbz found a fault of its own: ZeroDivisionError: x",
        ),
        (OSError("no room"), ExitCode.FAILED, "the system refused something: no room"),
    ],
)
def test_whatever_ends_a_run_its_entry_is_ended(
    path: Path, error: BaseException, code: ExitCode, note: str
) -> None:
    work = workspace(path)
    with pytest.raises(type(error)), in_journal(work, "run", REDIS) as number:
        raise error
    record = work.journal.run(number)
    assert record is not None
    assert (record.exit_code, record.note) == (code, note)
    assert record.ended is not None
