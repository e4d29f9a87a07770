"""The journal as a hash chain: each entry carries the digest of the one before, so that no row changes unseen.

An entry says what the rows of one run were, as a digest, after each change that kbz made to them, in every table. To
forget old runs is an entry too. A program that edits the file can make a new chain; a digest that was noted elsewhere
(`--head`) tells.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SCHEMA = """
create table if not exists chain (
    number integer primary key autoincrement,
    run integer not null,
    kind text not null,
    content text not null,
    digest text not null
);
"""
BEGUN, ENDED, NOTED, MARKED, ADOPTED = "begun", "ended", "noted", "marked", "adopted"
KEPT, DROPPED = "kept", "dropped"
"""A document of the run."""
WIDENED = "widened"
"""An older kbz wrote the entry before, which said nothing of some tables."""
FORGOTTEN = "forgotten"
"""Its content is the list of the forgotten runs, as JSON, and not a digest."""
_START = "0" * 64
_RUN = "id, verb, arguments, modules, owner, revision, started, ended, exit_code, plan, note"
_OLDER_ROWS = (
    f"select {_RUN} from runs where id = ?",
    "select host, outcome, changes, what from outcomes where run = ? order by host",
    "select marks from marks where run = ?",
    "select identity, host, what, standing, since from drift where run = ? order by identity",
    "select who from origins where run = ?",
)
"""What an entry of an older kbz says the digest of."""
_SCOPE = "select scope from scopes where run = ?"
_ROWS = (
    *_OLDER_ROWS,
    _SCOPE,
    "select process from processes where run = ?",
    "select document from documents where run = ?",
)
_PREFIX = "2:"
"""Before the digest of all rows; that of an older kbz has none."""
_VERSION = 2
"""`pragma user_version` of a journal whose entries say all."""
TABLES = ("outcomes", "marks", "drift", "origins", "scopes", "processes", "documents")
"""Those whose rows belong to a run."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the chain says of the journal."""

    entries: int
    runs: int
    head: str
    """Digest of the newest entry; empty for an empty journal."""
    problems: tuple[str, ...]
    adopted: int = 0
    """Runs that were there before the chain began: it says nothing of what they were before that."""


def append(database: sqlite3.Connection, run: int, kind: str) -> None:
    """Write down what the rows of a run are now, in the transaction that has just changed them."""
    _append(database, run, kind, _content(database, run))


def forgotten(database: sqlite3.Connection, runs: Iterable[int]) -> None:
    """Write down that these runs were forgotten on purpose."""
    if numbers := sorted(runs):
        _append(database, 0, FORGOTTEN, json.dumps(numbers))


def adopt(database: sqlite3.Connection) -> None:
    """Begin the chain of a journal that an older kbz wrote, with its runs as they are now."""
    if _newest(database) or not database.execute("select 1 from runs limit 1").fetchone():
        return
    database.execute("begin immediate")
    if not _newest(database):  # another process may have been first
        for (run,) in database.execute("select id from runs order by id").fetchall():
            append(database, run, ADOPTED)


def widen(database: sqlite3.Connection) -> None:
    """Add the rows that the entries of an older kbz say nothing of, for each run that is still as they say."""
    if _version(database) >= _VERSION:
        return
    database.execute("begin immediate")
    if _version(database) < _VERSION:  # another process may have been first
        for run, content in _last(database).items():
            older = not content.startswith(_PREFIX)
            if older and content == _content(database, run, content):
                append(database, run, WIDENED)
        database.execute(f"pragma user_version = {_VERSION}")
    database.commit()


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("pragma user_version").fetchone()[0])


def _last(database: sqlite3.Connection) -> dict[int, str]:
    """Return the newest content of each run that is there."""
    runs = {int(row[0]) for row in database.execute("select id from runs")}
    return {
        run: content
        for _, run, kind, content, _ in _entries(database)
        if kind != FORGOTTEN and run in runs
    }


def verify(database: sqlite3.Connection, head: str = "") -> Verdict:
    """Compare the chain with itself and with the rows; `head` is a digest that it must contain."""
    problems: list[str] = []
    last: dict[int, str] = {}
    gone: set[int] = set()
    seen, before, entries, adopted = _START, 0, 0, 0
    found = not head
    for number, run, kind, content, digest in _entries(database):
        problems += _gap(before, number)
        if digest != _digest(seen, number, run, kind, content):
            problems.append(
                f"entry {number} ({kind}, run {run}) does not follow from the one before"
            )
        if kind == BEGUN and run in last:
            problems.append(f"run {run} was removed, and its number was used again")
        if kind == FORGOTTEN:
            gone.update(_numbers(content))
        else:
            last[run] = content
        adopted += kind == ADOPTED
        seen, before, entries = digest, number, entries + 1
        found = found or digest.startswith(head)
    problems += _gap(before, _newest(database) + 1)
    if not found:
        problems.append(
            f"no entry has the digest {head}: entries were removed, or the chain is another one"
        )
    runs = [int(row[0]) for row in database.execute("select id from runs order by id")]
    problems += _rows(database, runs, last, gone)
    return Verdict(entries, len(runs), seen if entries else "", tuple(problems), adopted)


def _rows(
    database: sqlite3.Connection, runs: list[int], last: dict[int, str], gone: set[int]
) -> Iterator[str]:
    for run in runs:
        if run not in last:
            yield f"run {run} was added: no entry knows it"
        elif _content(database, run, last[run]) != last[run]:
            yield f"run {run} was changed after it was written"
    for run in sorted(set(last) - set(runs) - gone):
        yield f"run {run} was removed"
    for table in TABLES:
        query = f"select distinct run from {table} where run not in (select id from runs)"
        for (run,) in database.execute(query).fetchall():
            if run not in last:
                yield f"a row of {table} was added for run {run}, which there never was"


def _gap(before: int, number: int) -> list[str]:
    """Return that entries are missing between two numbers, or nothing."""
    if number == before + 1:
        return []
    missing = f"{before + 1}" if number == before + 2 else f"{before + 1} to {number - 1}"
    return [f"entry {missing} of the chain was removed"]


def _newest(database: sqlite3.Connection) -> int:
    """Return the number of the newest entry that there ever was."""
    row = database.execute("select seq from sqlite_sequence where name = 'chain'").fetchone()
    return int(row[0]) if row else 0


def _entries(database: sqlite3.Connection) -> Iterator[tuple[int, int, str, str, str]]:
    query = "select number, run, kind, content, digest from chain order by number"
    for number, run, kind, content, digest in database.execute(query):
        yield int(number), int(run), str(kind), str(content), str(digest)


def _numbers(content: str) -> Iterator[int]:
    try:
        yield from (int(number) for number in json.loads(content))
    except (ValueError, TypeError):
        return  # a changed entry, which its digest tells


def _append(database: sqlite3.Connection, run: int, kind: str, content: str) -> None:
    row = database.execute("select digest from chain order by number desc limit 1").fetchone()
    number = _newest(database) + 1
    digest = _digest(str(row[0]) if row else _START, number, run, kind, content)
    database.execute("insert into chain values (?,?,?,?,?)", (number, run, kind, content, digest))


def _content(database: sqlite3.Connection, run: int, like: str = _PREFIX) -> str:
    """Return the digest of the rows of a run, of as many tables as the content `like` was made of."""
    prefix, queries = (_PREFIX, _ROWS) if like.startswith(_PREFIX) else ("", _OLDER_ROWS)
    rows = [database.execute(query, (run,)).fetchall() for query in queries]
    if not prefix:  # an older kbz told a scope only where there was one
        rows += filter(None, [database.execute(_SCOPE, (run,)).fetchall()])
    return prefix + hashlib.sha256(json.dumps(rows, default=repr).encode()).hexdigest()


def _digest(before: str, number: int, run: int, kind: str, content: str) -> str:
    told = json.dumps([before, number, run, kind, content])
    return hashlib.sha256(told.encode()).hexdigest()
