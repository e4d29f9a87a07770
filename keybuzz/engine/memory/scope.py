"""What a run was for, as it was resolved when it began: a run that goes on with it acts on nothing else."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

SCHEMA = """
create table if not exists scopes (
    run integer primary key references runs(id),
    scope text not null
);
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """The hosts, and the saved plan where there is one."""

    hosts: frozenset[str]
    plan: str = ""
    """Absolute path of the file."""
    digest: str = ""
    """Of the file, as it was read."""
    since: int = 0
    """The run of that plan that this one went on with; 0 for none."""


def keep(database: sqlite3.Connection, run: int, scope: Scope) -> None:
    """Write the scope of a run, in the caller's transaction."""
    document = {
        "hosts": sorted(scope.hosts),
        "plan": scope.plan,
        "digest": scope.digest,
        "since": scope.since,
    }
    database.execute("insert into scopes values (?,?)", (run, json.dumps(document)))


def kept(database: sqlite3.Connection, run: int) -> Scope | None:
    """Return the scope of a run; None where it has none: an older kbz, or a verb that cannot be resumed."""
    row = database.execute("select scope from scopes where run = ?", (run,)).fetchone()
    if row is None:
        return None
    document = json.loads(str(row[0]))
    return Scope(
        frozenset(map(str, document["hosts"])),
        str(document["plan"]),
        str(document["digest"]),
        int(document.get("since", 0)),  # an older kbz did not write it
    )
