"""The answers of looks in the journal: which is kept, which is shown, and that a reader of it writes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.look.looks import LastLook, last_look
from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.memory.journal import Journal
from keybuzz.engine.memory.journal_reader import DocumentsReader, JournalReader
from keybuzz.model.core.errors import InputError
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.plan import Plan
from keybuzz.model.reports.report import HostReport, Report
from tests.unit.support.page_values import NOW, looked

FLEET = frozenset({"a", "b", "c"})
ALL = ("base", "redis")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "journal.sqlite"
    Journal(found)
    Documents(found)
    return found


def look(verb: str, modules: tuple[str, ...], hosts: str) -> Report:
    reports = {host: HostReport(host, Outcome.OK) for host in hosts}
    return Report(verb, modules, reports, Plan({}), (), (), 1.0)


def shown(path: Path, verb: str = "health", servers: frozenset[str] = FLEET) -> LastLook | None:
    return last_look(JournalReader(path), DocumentsReader(path), verb, servers)


def number(path: Path, verb: str = "health", servers: frozenset[str] = FLEET) -> int:
    found = shown(path, verb, servers)
    assert found is not None
    return found.run


def test_nothing_is_known_before_the_first_look(path: Path) -> None:
    assert shown(path) is None
    assert shown(path, "drift") is None


def test_the_newest_look_is_shown_with_its_moment_and_its_whole_answer(path: Path) -> None:
    looked(path, look("health", ALL, "abc"), NOW)
    run = looked(path, look("health", ALL, "abc"), NOW + 60)
    looked(path, look("drift", ALL, "abc"), NOW + 90)
    found = shown(path)
    assert found is not None
    assert (found.run, found.moment) == (run, NOW + 60)
    assert (found.document["verb"], found.document["run"]) == ("health", run)
    assert set(found.document["hosts"]) == FLEET


def test_a_newer_look_at_less_hides_nothing(path: Path) -> None:
    whole = looked(path, look("health", ALL, "abc"), NOW)
    looked(path, look("health", ALL, "ab"), NOW + 60)
    looked(path, look("health", ("base",), "abc"), NOW + 120)
    assert number(path) == whole
    newest = looked(path, look("health", ALL, "abc"), NOW + 180)
    assert number(path) == newest


def test_a_look_at_a_part_is_shown_where_nobody_looked_at_all(path: Path) -> None:
    looked(path, look("health", ALL, "a"), NOW)
    part = looked(path, look("health", ALL, "bc"), NOW + 60)
    assert number(path) == part


def test_a_server_that_is_no_more_makes_no_old_look_the_widest(path: Path) -> None:
    looked(path, look("health", ALL, "abcd"), NOW)
    newest = looked(path, look("health", ALL, "abc"), NOW + 60)
    assert number(path) == newest


def test_a_run_that_could_not_look_leaves_the_last_look_and_its_age(path: Path) -> None:
    good = looked(path, look("health", ALL, "abc"), NOW)
    failed = replace(look("health", ALL, "abc"), error="x", error_code=ExitCode.FAILED)
    looked(path, failed, NOW + 60)
    assert number(path) == good


def test_other_verbs_leave_no_answer(path: Path) -> None:
    run = looked(path, look("run", ALL, "abc"), NOW)
    assert Documents(path).of(run) == ""


def test_answers_do_not_pile_up(path: Path) -> None:
    """A look every five minutes, and now and then one at a part: the newest whole one takes the place of them all."""
    for round_ in range(5):
        looked(path, look("health", ("base",), "a"), NOW + round_)
        looked(path, look("drift", ALL, "ab"), NOW + round_)
        newest = looked(path, look("health", ALL, "abc"), NOW + round_)
    assert Documents(path).runs("health") == (newest,)
    assert len(Documents(path).runs("drift")) == 1


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format_version": 99}'])
def test_an_answer_that_can_not_be_read_is_named_with_the_way_out(path: Path, text: str) -> None:
    run = looked(path, look("health", ALL, "abc"), NOW)
    Documents(path).keep(run, text)
    with pytest.raises(
        InputError, match=rf"the answer of run {run} cannot be read.*\n.*kbz health"
    ):
        shown(path)


def test_a_reader_can_not_write_and_makes_no_file(path: Path) -> None:
    run = looked(path, look("health", ALL, "abc"), NOW)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        JournalReader(path).add_note(run, "x")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        DocumentsReader(path).forget([run])
    nowhere = path.with_name("none.sqlite")
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        JournalReader(nowhere).runs()
    assert not nowhere.exists()


def test_a_reader_sees_what_a_writer_has_not_yet_brought_into_the_file(path: Path) -> None:
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("pragma wal_autocheckpoint = 0")
        run = looked(path, look("health", ALL, "abc"), NOW)
        assert [record.number for record in JournalReader(path).runs()] == [run]
        assert number(path) == run
