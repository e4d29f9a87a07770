"""What the journal may forget: old runs, but never what another verb still needs."""

from __future__ import annotations

import json
import re
import sqlite3

_TABLES = ("outcomes", "marks", "drift", "processes")
_REFERENCE = re.compile(r"--since[ =](\d+)|resumed from run (\d+)")


def prune(database: sqlite3.Connection, keep_after: float) -> None:
    """Forget the runs that started before, inside the caller's transaction.

    Kept however old they are: the newest run of each verb, the newest that ended, the newest of each verb and modules
    that has looked (the next drift compares with it), and the runs that these name as what they go on with.
    """
    old = {
        row[0] for row in database.execute("select id from runs where started < ?", (keep_after,))
    }
    if not old:
        return
    forgotten = [(number,) for number in sorted(old - _needed(database))]
    for table in _TABLES:
        database.executemany(f"delete from {table} where run = ?", forgotten)
    database.executemany("delete from runs where id = ?", forgotten)


def _needed(database: sqlite3.Connection) -> set[int]:
    queries = (
        "select max(id) from runs group by verb",
        "select max(id) from runs where ended is not null group by verb",
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
