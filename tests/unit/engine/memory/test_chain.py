"""The journal's chain: whatever is done to its rows with another program is named, and forgetting is not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from keybuzz.engine.memory import chain
from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.memory.journal import HostRecord, Journal
from keybuzz.engine.memory.scope import Scope
from keybuzz.engine.memory.who import Who
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.reports.drift import DriftItem, Standing

DAY = 86400.0
ITEM = DriftItem("file:/etc/app", "redis-01", "digest", Standing.NEW, 1)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Three runs with everything that the journal keeps of a run."""
    made = Journal(tmp_path / "journal.sqlite")
    for number in (1, 2, 3):
        written(made, number * 100.0)
    return made


def written(journal: Journal, now: float, keep_after: float | None = None) -> int:
    line, scope = ("kbz run redis",), Scope(frozenset({"redis-01", "redis-02"}))
    number = journal.begin("run", line, ("redis",), now, Path("/"), keep_after, scope)
    journal.mark(number, {"redis-01": {"container:redis": "1"}})
    hosts = {h: HostRecord(h, Outcome.CHANGED, 2, "why") for h in ("redis-01", "redis-02")}
    journal.end(number, now + 5, 0, hosts, '{"changes": []}', "", (ITEM,))
    journal.add_note(number, "a hook failed")
    Documents(journal.path).keep(number, '{"trials": []}')
    return number


def edit(journal: Journal, *statements: str) -> None:
    """Change the file as another program does."""
    with closing(sqlite3.connect(journal.path)) as database, database:
        for statement in statements:
            database.execute(statement)


def remove(journal: Journal, run: int) -> None:
    """Delete a run with all that belongs to it."""
    tables = ("outcomes", "marks", "drift", "processes", "origins", "scopes")
    edit(journal, *(f"delete from {table} where run = {run}" for table in tables))
    edit(journal, f"delete from runs where id = {run}")


def test_an_untouched_journal_is_sound(journal: Journal) -> None:
    found = journal.verify()
    assert found.problems == ()
    assert (found.entries, found.runs, found.adopted, len(found.head)) == (15, 3, 0, 64)


def test_an_empty_journal_is_sound(tmp_path: Path) -> None:
    found = Journal(tmp_path / "journal.sqlite").verify()
    assert (found.entries, found.runs, found.head, found.problems) == (0, 0, "", ())


CHANGED = {
    "the command": "update runs set arguments = '[\"kbz health\"]' where id = 2",
    "who": "update runs set owner = 'mallory@elsewhere' where id = 2",
    "the origin": "update origins set who = '{}' where run = 2",
    "the exit code": "update runs set exit_code = 1 where id = 2",
    "the time": "update runs set started = started - 1 where id = 2",
    "the plan": "update runs set plan = '' where id = 2",
    "the note": "update runs set note = '' where id = 2",
    "an outcome": "update outcomes set outcome = 'ok' where run = 2 and host = 'redis-02'",
    "a removed outcome": "delete from outcomes where run = 2 and host = 'redis-01'",
    "an added outcome": "insert into outcomes values (2, 'redis-03', 'ok', 0, '')",
    "the marks": "update marks set marks = '{}' where run = 2",
    "its hosts": "update scopes set scope = '{}' where run = 2",
    "removed hosts": "delete from scopes where run = 2",
    "the process": "update processes set process = 'x' where run = 2",
    "a removed process": "delete from processes where run = 2",
    "the document": "update documents set document = '{}' where run = 2",
    "a removed document": "delete from documents where run = 2",
    "a drift item": "update drift set what = 'mode' where run = 2",
}


@pytest.mark.parametrize("what", CHANGED)
def test_a_changed_row_is_named(journal: Journal, what: str) -> None:
    edit(journal, CHANGED[what])
    assert journal.verify().problems == ("run 2 was changed after it was written",)


def test_a_removed_run_is_named(journal: Journal) -> None:
    remove(journal, 2)
    assert journal.verify().problems == ("run 2 was removed",)


def test_an_added_run_is_named(journal: Journal) -> None:
    edit(
        journal,
        "insert into runs (id, verb, arguments, modules, owner, revision, started)"
        " values (9, 'run', '[]', '[]', '', '', 1.0)",
    )
    assert journal.verify().problems == ("run 9 was added: no entry knows it",)


def test_the_newest_run_cannot_be_replaced(journal: Journal) -> None:
    remove(journal, 3)
    assert written(journal, 400.0) == 3
    assert "run 3 was removed, and its number was used again" in journal.verify().problems


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("delete from chain where number = 1", "entry 1 of the chain was removed"),
        ("delete from chain where number in (5, 6)", "entry 5 to 6 of the chain was removed"),
        ("delete from chain where number > 13", "entry 14 to 15 of the chain was removed"),
        ("delete from chain", "entry 1 to 15 of the chain was removed"),
        ("update chain set content = 'x' where number = 4", "entry 4 "),
        ("update chain set run = 1 where number = 6", "entry 6 "),
        ("update chain set kind = 'begun' where number = 7", "entry 7 "),
    ],
)
def test_a_changed_chain_is_named(journal: Journal, statement: str, said: str) -> None:
    edit(journal, statement)
    assert any(problem.startswith(said) for problem in journal.verify().problems)


def test_a_chain_that_was_made_again_is_told_by_a_noted_head(journal: Journal) -> None:
    noted = journal.verify().head
    written(journal, 400.0)
    assert journal.verify(noted).problems == ()
    assert journal.verify(noted[:16]).problems == ()
    edit(journal, "delete from chain", "delete from sqlite_sequence where name = 'chain'")
    edit(journal, "update runs set exit_code = 0")
    forged = Journal(journal.path)
    assert forged.verify().problems == ()
    assert forged.verify().adopted == 4
    assert "no entry has the digest" in forged.verify(noted).problems[0]


def test_forgetting_keeps_the_chain(journal: Journal) -> None:
    for day in range(30, 300, 30):
        written(journal, day * DAY, keep_after=(day - 45) * DAY)
    kept = [run.number for run in journal.runs()]
    assert 1 not in kept
    assert journal.verify().problems == ()
    edit(journal, f"delete from runs where id = {kept[1]}")
    assert journal.verify().problems == (f"run {kept[1]} was removed",)


def test_a_run_that_was_cut_off_is_no_problem(journal: Journal) -> None:
    journal.begin("run", ("kbz run redis",), ("redis",), 1.0, Path("/"))
    assert journal.verify().problems == ()


def test_a_journal_of_an_older_kbz_goes_on_with_a_chain(journal: Journal) -> None:
    edit(journal, "drop table chain", "drop table origins")
    edit(journal, "delete from sqlite_sequence where name = 'chain'")
    again = Journal(journal.path)
    assert (again.verify().problems, again.verify().adopted) == ((), 3)
    assert again.runs()[0].who is None
    edit(again, "update runs set note = 'edited' where id = 1")
    written(again, 500.0)
    assert again.verify().problems == ("run 1 was changed after it was written",)


def test_every_table_of_the_journal_is_in_the_chain(journal: Journal) -> None:
    """A table that a later kbz adds belongs into the digest, or says here why not."""
    with closing(sqlite3.connect(journal.path)) as database:
        query = "select name from sqlite_master where type = 'table'"
        tables = {row[0] for row in database.execute(query)}
    assert tables - {"sqlite_sequence"} == {*chain.TABLES, "runs", "chain", "room"}
    for table in chain.TABLES:
        assert any(f" from {table} where run = ?" in query for query in chain._ROWS)


@pytest.mark.parametrize("table", ["documents", "processes"])
def test_a_row_for_a_run_that_there_never_was_is_named(journal: Journal, table: str) -> None:
    edit(journal, f"insert into {table} values (77, 'x')")
    assert journal.verify().problems == (
        f"a row of {table} was added for run 77, which there never was",
    )


def test_a_document_that_is_kept_no_longer_keeps_the_chain(journal: Journal) -> None:
    Documents(journal.path).forget([1, 2])
    assert Documents(journal.path).of(1) == ""
    assert journal.verify().problems == ()


def as_an_older_kbz(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the chain again as a kbz did that knew nothing of documents and processes."""
    edit(journal, "delete from chain", "delete from sqlite_sequence where name = 'chain'")
    edit(journal, "pragma user_version = 0")
    with monkeypatch.context() as before, closing(sqlite3.connect(journal.path)) as database:
        before.setattr(chain, "_PREFIX", "")
        before.setattr(chain, "_ROWS", chain._OLDER_ROWS)
        for run in (1, 2, 3):
            chain.append(database, run, chain.ENDED)
        database.commit()


def test_a_journal_of_an_older_kbz_is_sound_and_its_documents_are_brought_in(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_an_older_kbz(journal, monkeypatch)
    assert journal.verify().problems == ()
    again = Journal(journal.path)
    assert (again.verify().problems, again.verify().entries) == ((), 6)
    assert Journal(journal.path).verify().entries == 6
    edit(again, CHANGED["the document"])
    assert again.verify().problems == ("run 2 was changed after it was written",)


def test_what_was_changed_in_a_journal_of_an_older_kbz_stays_named(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_an_older_kbz(journal, monkeypatch)
    edit(journal, CHANGED["the exit code"])
    for _ in range(2):
        found = Journal(journal.path).verify()
        assert found.problems == ("run 2 was changed after it was written",)


def test_the_journal_knows_who_it_was(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "alice")
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.7 50000 192.0.2.1 22")
    written(journal, 400.0)
    [record] = journal.runs(1)
    assert record.owner.startswith("alice as ")
    assert record.who is not None
    assert (record.who.sudo, record.who.address) == ("alice", "192.0.2.7")


KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIPUEZPj8KaWGxEJgN1rWdxrsVRLpWzSQyTTdhKvEb1xB"


def planted_fifo(path: Path) -> None:
    import os

    os.mkfifo(path)


KEY_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a key": (lambda path: path.write_text(f"publickey ssh-ed25519 {KEY}\n"), "SHA256:"),
    "no key": (lambda path: path.write_text("password\n"), ""),
    "a damaged key": (lambda path: path.write_text("publickey ssh-ed25519 %%%\n"), ""),
    "a fifo": (planted_fifo, ""),
    "a link": (lambda path: path.symlink_to("/etc/hostname"), ""),
    "nothing": (lambda path: None, ""),
}


@pytest.mark.parametrize("what", KEY_FILES)
def test_the_key_of_the_connection_is_told_where_sshd_tells_it(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    make, begins = KEY_FILES[what]
    make(tmp_path / "auth")
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.7 50000 192.0.2.1 22")
    monkeypatch.setenv("SSH_USER_AUTH", str(tmp_path / "auth"))
    written(journal, 400.0)
    who = journal.runs(1)[0].who
    assert who is not None
    assert who.key.startswith(begins)
    assert bool(who.key) == bool(begins)


def test_who_in_words() -> None:
    found = Who("root", "install-01", "alice", "", "192.0.2.7", "SHA256:abc", "pts/3")
    assert found.sentence == (
        "alice as root@install-01, from 192.0.2.7, with key SHA256:abc, at pts/3"
    )
    assert Who("root", "install-01").sentence == "root@install-01, without a terminal"
    assert Who.parse(found.text()) == found
    assert Who.parse("") is None
