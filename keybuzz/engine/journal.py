"""The journal: every run with who, when, what, and how each host ended. SQLite, append only."""

from __future__ import annotations

import getpass
import json
import socket
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from keybuzz.model.outcome import Outcome

Marks = Mapping[str, Mapping[str, str]]
"""By host: identity of what is to restart, and which start of it was seen."""

_SCHEMA = """
create table if not exists runs (
    id integer primary key,
    verb text not null,
    arguments text not null,
    modules text not null,
    owner text not null,
    revision text not null,
    started real not null,
    ended real,
    exit_code integer,
    plan text not null default '',
    note text not null default ''
);
create table if not exists outcomes (
    run integer not null references runs(id),
    host text not null,
    outcome text not null,
    changes integer not null,
    what text not null,
    primary key (run, host)
);
create table if not exists marks (
    run integer primary key references runs(id),
    marks text not null
);
"""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run, as it is remembered. `ended` is None for a run that was cut off or still goes on."""

    number: int
    verb: str
    arguments: tuple[str, ...]
    modules: tuple[str, ...]
    owner: str
    revision: str
    started: float
    ended: float | None
    exit_code: int | None
    note: str


@dataclass(frozen=True, slots=True)
class HostRecord:
    """How one host ended in a run."""

    host: str
    outcome: Outcome
    changes: int
    what: str


class Journal:
    """The journal file of a site. Each call is one short transaction."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        with closing(self._open()) as database, database:
            database.executescript(_SCHEMA)

    def begin(
        self,
        verb: str,
        arguments: tuple[str, ...],
        modules: tuple[str, ...],
        now: float,
        root: Path,
    ) -> int:
        """Record that a run starts, before it does anything; return its number."""
        with closing(self._open()) as database, database:
            cursor = database.execute(
                "insert into runs (verb, arguments, modules, owner, revision, started) values (?,?,?,?,?,?)",
                (
                    verb,
                    json.dumps(arguments),
                    json.dumps(modules),
                    f"{getpass.getuser()}@{socket.gethostname()}",
                    _revision(root),
                    now,
                ),
            )
            return int(cursor.lastrowid or 0)

    def end(
        self,
        number: int,
        now: float,
        exit_code: int,
        hosts: Mapping[str, HostRecord],
        plan: str,
        note: str,
    ) -> None:
        """Record how a run ended."""
        with closing(self._open()) as database, database:
            database.execute(
                "update runs set ended = ?, exit_code = ?, plan = ?, note = ? where id = ?",
                (now, exit_code, plan, note, number),
            )
            database.executemany(
                "insert or replace into outcomes values (?,?,?,?,?)",
                [(number, r.host, r.outcome.value, r.changes, r.what) for r in hosts.values()],
            )

    def runs(self, limit: int = 20) -> tuple[RunRecord, ...]:
        """Return the newest runs first."""
        query = (
            "select id, verb, arguments, modules, owner, revision, started, ended, exit_code, note "
            "from runs order by id desc limit ?"
        )
        with closing(self._open()) as database:
            return tuple(_record(row) for row in database.execute(query, (limit,)))

    def hosts(self, number: int) -> tuple[HostRecord, ...]:
        """Return how the hosts of a run ended."""
        query = "select host, outcome, changes, what from outcomes where run = ? order by host"
        with closing(self._open()) as database:
            return tuple(
                HostRecord(host, Outcome(outcome), changes, what)
                for host, outcome, changes, what in database.execute(query, (number,))
            )

    def plan(self, number: int) -> str:
        """Return the plan of a run as JSON text; empty when it never came so far."""
        with closing(self._open()) as database:
            row = database.execute("select plan from runs where id = ?", (number,)).fetchone()
        return str(row[0]) if row else ""

    def mark(self, number: int, marks: Marks) -> None:
        """Record what ran when a restart began, before it restarts anything."""
        text = json.dumps({host: dict(found) for host, found in marks.items()})
        with closing(self._open()) as database, database:
            database.execute("insert or replace into marks values (?,?)", (number, text))

    def marks(self, number: int) -> Marks | None:
        """Return what ran when a restart began; None when it never came so far."""
        with closing(self._open()) as database:
            row = database.execute("select marks from marks where run = ?", (number,)).fetchone()
        return None if row is None else json.loads(str(row[0]))

    def sets(self) -> dict[str, frozenset[str]]:
        """Return the host sets that --limit knows as @failed and @drifted, from the newest runs."""
        return {
            "failed": self._newest(
                "run", ("failed", "refused", "unreachable", "unknown", "skipped")
            ),
            "drifted": self._newest("drift", ("changed",)),
        }

    def _newest(self, verb: str, outcomes: tuple[str, ...]) -> frozenset[str]:
        marks = ",".join("?" * len(outcomes))
        query = (
            "select host from outcomes where run = "
            "(select max(id) from runs where verb = ? and ended is not null) "
            f"and outcome in ({marks})"
        )
        with closing(self._open()) as database:
            return frozenset(row[0] for row in database.execute(query, (verb, *outcomes)))

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=30)
        database.execute("pragma journal_mode = wal")
        return database


def _record(row: tuple[object, ...]) -> RunRecord:
    number, verb, arguments, modules, owner, revision, started, ended, code, note = row
    return RunRecord(
        int(str(number)),
        str(verb),
        tuple(json.loads(str(arguments))),
        tuple(json.loads(str(modules))),
        str(owner),
        str(revision),
        float(str(started)),
        None if ended is None else float(str(ended)),
        None if code is None else int(str(code)),
        str(note),
    )


def _revision(root: Path) -> str:
    """Return the git revision of the site's files, with + when they have been edited since."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty=+"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
