"""The journal: every run is remembered, one that was cut off too, and the host sets come from it."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import pytest

from keybuzz.engine.memory.journal import HostRecord, Journal
from keybuzz.model.core.outcome import Outcome


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state" / "journal.sqlite")


def ended(journal: Journal, verb: str, outcomes: dict[str, Outcome], code: int = 1) -> int:
    number = journal.begin(verb, (f"kbz {verb} base",), ("base",), 100.0, Path("/"))
    hosts = {host: HostRecord(host, outcome, 2, "why") for host, outcome in outcomes.items()}
    journal.end(number, 103.5, code, hosts, '{"changes": []}', "note")
    return number


def test_a_run_is_remembered_with_all_that_it_was(journal: Journal) -> None:
    number = ended(journal, "run", {"b": Outcome.FAILED, "a": Outcome.CHANGED})
    (record,) = journal.runs()
    assert (record.number, record.verb) == (number, "run")
    assert record.arguments == ("kbz run base",)
    assert record.modules == ("base",)
    assert "@" in record.owner
    assert (record.started, record.ended, record.exit_code) == (100.0, 103.5, 1)
    assert record.note == "note"
    assert journal.hosts(number) == (
        HostRecord("a", Outcome.CHANGED, 2, "why"),
        HostRecord("b", Outcome.FAILED, 2, "why"),
    )
    assert journal.plan(number) == '{"changes": []}'


def test_a_run_that_was_cut_off_has_no_end(journal: Journal) -> None:
    number = journal.begin("run", ("kbz run base",), ("base",), 100.0, Path("/"))
    (record,) = journal.runs()
    assert (record.number, record.ended, record.exit_code) == (number, None, None)
    assert journal.hosts(number) == ()
    assert journal.plan(number) == ""


def test_what_is_not_there_is_empty(journal: Journal) -> None:
    assert journal.runs() == ()
    assert journal.hosts(7) == ()
    assert journal.plan(7) == ""
    assert journal.sets() == {
        "failed": frozenset(),
        "drifted": frozenset(),
        "unhealthy": frozenset(),
    }
    assert journal.run(7) is None
    assert journal.drift(7) == ()
    assert journal.last_look("drift") is None


def test_the_newest_come_first_and_only_so_many(journal: Journal) -> None:
    numbers = [ended(journal, "run", {"a": Outcome.OK}) for _ in range(5)]
    assert [record.number for record in journal.runs(3)] == numbers[:1:-1]


def test_another_process_reads_the_same(journal: Journal, tmp_path: Path) -> None:
    ended(journal, "run", {"a": Outcome.OK})
    again = Journal(tmp_path / "state" / "journal.sqlite")
    assert again.runs() == journal.runs()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_failed_are_those_of_the_newest_run_that_did_not_end_well(journal: Journal) -> None:
    ended(journal, "run", {"old": Outcome.FAILED})
    ended(
        journal,
        "run",
        {
            "ok": Outcome.OK,
            "changed": Outcome.CHANGED,
            "failed": Outcome.FAILED,
            "refused": Outcome.REFUSED,
            "unreachable": Outcome.UNREACHABLE,
            "unknown": Outcome.UNKNOWN,
            "skipped": Outcome.SKIPPED,
        },
    )
    ended(journal, "drift", {"drifted": Outcome.CHANGED, "same": Outcome.OK}, 2)
    assert journal.sets() == {
        "failed": frozenset({"failed", "refused", "unreachable", "unknown", "skipped"}),
        "drifted": frozenset({"drifted"}),
        "unhealthy": frozenset(),
    }


def test_a_good_run_empties_the_set(journal: Journal) -> None:
    ended(journal, "run", {"a": Outcome.FAILED})
    ended(journal, "run", {"a": Outcome.CHANGED}, 0)
    assert journal.sets()["failed"] == frozenset()


@pytest.mark.parametrize(("verb", "name"), [("run", "failed"), ("drift", "drifted")])
@pytest.mark.parametrize("code", [0, 2, 3, 4, 130])
def test_a_run_that_ended_before_it_knew_a_host_leaves_the_set(
    journal: Journal, verb: str, name: str, code: int
) -> None:
    """Such as one that a hook refused: what is to be repaired is as before."""
    outcome = Outcome.FAILED if verb == "run" else Outcome.CHANGED
    ended(journal, verb, {"a": outcome}, 2)
    ended(journal, verb, {}, code)
    assert journal.sets()[name] == {"a"}


def test_a_run_that_still_goes_on_does_not_hide_the_one_before(journal: Journal) -> None:
    ended(journal, "run", {"a": Outcome.FAILED})
    journal.begin("run", ("kbz run base",), ("base",), 200.0, Path("/"))
    assert journal.sets()["failed"] == frozenset({"a"})


def test_a_journal_of_an_older_kbz_is_read_and_goes_on(journal: Journal, tmp_path: Path) -> None:
    number = ended(journal, "drift", {"a": Outcome.CHANGED}, 2)
    path = tmp_path / "state" / "journal.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript("drop table drift; drop table processes")
    again = Journal(path)
    [old] = again.runs()
    assert (old.number, old.process, old.at_work) == (number, "", False)
    assert again.drift(number) == ()
    assert again.last_look("drift") == old
    assert again.sets()["drifted"] == {"a"}
    newer = again.begin("drift", (), (), 1.0, Path("/"))
    assert again.runs(1)[0].at_work
    assert newer > number


def test_many_writers_lose_nothing(journal: Journal) -> None:
    threads = [
        threading.Thread(target=ended, args=(journal, "run", {"a": Outcome.OK})) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({record.number for record in journal.runs(100)}) == 8


def test_hostile_texts_come_back_as_they_were(journal: Journal) -> None:
    text = "'; drop table runs; --\n\"é\u2028"
    number = journal.begin("run", (text,), (text,), 1.0, Path("/"))
    journal.end(number, 2.0, 0, {text: HostRecord(text, Outcome.OK, 0, text)}, text, text)
    (record,) = journal.runs()
    assert (record.arguments, record.modules, record.note) == ((text,), (text,), text)
    assert journal.hosts(number) == (HostRecord(text, Outcome.OK, 0, text),)
    assert journal.plan(number) == text


def test_the_revision_of_the_files_is_noted_and_edits_are_marked(
    journal: Journal, tmp_path: Path
) -> None:
    def git(*arguments: str) -> str:
        command = [
            "git",
            "-C",
            str(tmp_path),
            "-c",
            "user.name=n",
            "-c",
            "user.email=e",
            *arguments,
        ]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-qm", "first")
    journal.begin("run", (), (), 1.0, tmp_path)
    (tmp_path / "file").write_text("2")
    journal.begin("run", (), (), 2.0, tmp_path)
    edited, clean = journal.runs()
    assert clean.revision == git("rev-parse", "--short", "HEAD")
    assert edited.revision == clean.revision + "+"


def test_files_outside_git_have_no_revision(journal: Journal) -> None:
    journal.begin("run", (), (), 1.0, Path("/nowhere"))
    assert journal.runs()[0].revision == ""
