"""What the journal may forget: old runs, but never what another verb still needs."""

from __future__ import annotations

import json
import re
import sqlite3

from keybuzz.engine.memory import chain

_TABLES = ("outcomes", "marks", "drift", "processes", "origins", "scopes")
_REFERENCE = re.compile(r"--since[ =](\d+)|resumed from run (\d+)")


_LONGEST_GAP = 31 * 86400.0
"""Seconds between two runs. More is no time that the journal has seen pass, and may be a clock that was wrong."""


def prune(database: sqlite3.Connection, now: float, keep: float) -> None:
    """Forget the runs that started more than `keep` seconds ago, inside the caller's transaction.

    Their age is the time that the journal has seen pass, from run to run, where a step of more than _LONGEST_GAP counts
    nothing. So a clock that is years ahead, today or when a run was written, forgets nothing.

    Kept however old they are: the newest run of each verb, the newest that ended, the newest that knows its hosts
    (`--limit @failed`), the newest of each verb and modules that has looked (the next drift compares with it), and the
    runs that these name as what they go on with.
    """
    query = "select id from runs where started < ?"
    candidates = {row[0] for row in database.execute(query, (now - keep,))}
    candidates -= _needed(database) if candidates else set()
    if not candidates:
        return
    forgotten = [(number,) for number in sorted(candidates & _aged(database, keep))]
    for table in _TABLES:
        database.executemany(f"delete from {table} where run = ?", forgotten)
    database.executemany("delete from runs where id = ?", forgotten)
    chain.forgotten(database, (number for (number,) in forgotten))


def _aged(database: sqlite3.Connection, keep: float) -> set[int]:
    """Return the runs after which more time has passed than is kept."""
    aged: set[int] = set()
    passed, later = 0.0, None
    for number, started in database.execute("select id, started from runs order by id desc"):
        if later is not None:
            passed += later - started if 0.0 < later - started <= _LONGEST_GAP else 0.0
        later = started
        if passed > keep:
            aged.add(number)
    return aged


def _needed(database: sqlite3.Connection) -> set[int]:
    hosts = "id in (select run from outcomes)"
    queries = (
        "select max(id) from runs group by verb",
        "select max(id) from runs where ended is not null group by verb",
        f"select max(id) from runs where {hosts} group by verb",
        f"select max(id) from runs where {hosts} and exit_code in (0, 2, 4) group by verb",
        "select max(id) from runs where exit_code in (0, 2, 4) group by verb, modules",
    )
    kept = {row[0] for query in queries for row in database.execute(query)}
    waiting = set(kept)
    while waiting:
        number = waiting.pop()
        row = database.execute("select arguments from runs where id = ?", (number,)).fetchone()
        named = _named(json.loads(row[0])) if row else set()
        waiting |= named - kept
        kept |= named
    return kept


def _named(arguments: list[str]) -> set[int]:
    """Return the runs that a command line goes on with."""
    found = _REFERENCE.findall(" ".join(arguments))
    return {int(number) for pair in found for number in pair if number}
