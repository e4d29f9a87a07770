"""The journal: every run with who, when, what, and how each host ended. SQLite, append only, as a hash chain."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from keybuzz.engine.memory import chain, retention
from keybuzz.engine.memory import scope as scopes
from keybuzz.engine.memory.database import open_database
from keybuzz.engine.memory.scope import Scope
from keybuzz.engine.memory.who import Who, this_caller
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.visible import in_one_line
from keybuzz.model.reports.drift import DriftItem, Standing

Marks = Mapping[str, Mapping[str, str]]
"""By host: identity of what is to restart, and which start of it was seen."""

SCHEMA = f"""{chain.SCHEMA}{scopes.SCHEMA}
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
create table if not exists drift (
    run integer not null references runs(id),
    identity text not null,
    host text not null,
    what text not null,
    standing text not null,
    since integer not null,
    primary key (run, identity)
);
create table if not exists processes (
    run integer primary key references runs(id),
    process text not null
);
create table if not exists origins (
    run integer primary key references runs(id),
    who text not null
);
create table if not exists documents (
    run integer primary key,
    document text not null
);
create trigger if not exists documents_of_forgotten_runs after delete on runs
begin delete from documents where run = old.id; end;
create table if not exists room (content blob not null);
"""
_ROOM = 64 << 10
"""Bytes that the beginning and the end of a run need at most, but for its plan."""
LOOKED = (int(ExitCode.GOOD), int(ExitCode.DIFFERENT), int(ExitCode.UNREACHABLE))
"""How a run that looks ends when it has looked: not refused, not failed, not cut off."""
_RUNS = (
    "select id, verb, arguments, modules, owner, revision, started, ended, exit_code, note, "
    "coalesce((select process from processes where run = id), ''), "
    "coalesce((select who from origins where run = id), '') from runs "
)


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
    process: str = ""
    """Which process it was, in words that no later process has; empty when it is not known."""
    who: Who | None = None
    """Who began it, with all that is known; None for a run of an older kbz."""

    @property
    def at_work(self) -> bool:
        """True while its process lives; a run that has not ended and whose process is gone was cut off."""
        return self.ended is None and bool(self.process) and _is_alive(self.process)


@dataclass(frozen=True, slots=True)
class HostRecord:
    """How one host ended in a run."""

    host: str
    outcome: Outcome
    changes: int
    what: str

    def __post_init__(self) -> None:
        in_one_line(self, "what")


class Journal:
    """The journal file of a site. Each call is one short transaction."""

    trouble: str = ""
    """Why something is not remembered, once that is known."""
    begun: int = 0
    """The run that this process has begun last, by this journal."""
    _wait: float = 30.0

    def __init__(self, path: Path, wait: float = _wait) -> None:
        """Open the file, or make it. `wait` is in seconds: for another process to let go of it."""
        self.path = path
        self._wait = wait
        with closing(self._open()) as database, database:
            database.executescript(SCHEMA)
            chain.adopt(database)
            database.commit()
            chain.widen(database)

    def begin(
        self,
        verb: str,
        arguments: tuple[str, ...],
        modules: tuple[str, ...],
        now: float,
        root: Path,
        keep_after: float | None = None,
        scope: Scope | None = None,
    ) -> int:
        """Record that a run starts, before it does anything, and what it is for; return its number.

        With `keep_after`, runs that started before it are forgotten in the same transaction, but for what
        keybuzz.engine.memory.retention keeps.
        """
        who = this_caller()
        with closing(self._open()) as database, database:
            cursor = database.execute(
                "insert into runs (verb, arguments, modules, owner, revision, started) values (?,?,?,?,?,?)",
                (
                    verb,
                    json.dumps(arguments),
                    json.dumps(modules),
                    who.owner,
                    revision(root),
                    now,
                ),
            )
            number = self.begun = int(cursor.lastrowid or 0)
            database.execute("insert into processes values (?,?)", (number, _this_process()))
            database.execute("insert into origins values (?,?)", (number, who.text()))
            if scope is not None:
                scopes.keep(database, number, scope)
            chain.append(database, number, chain.BEGUN)
            if keep_after is not None:
                retention.prune(database, now, now - keep_after)
            return number

    def require_room(self) -> None:
        """Write what takes as much room as a run, and take it back; sqlite3.Error or OSError where that fails.

        For a command that touches a host before its run begins.
        """
        with closing(self._open()) as database, database:
            database.execute("insert into room values (zeroblob(?))", (_ROOM,))
            database.execute("delete from room")

    def end(
        self,
        number: int,
        now: float,
        exit_code: int,
        hosts: Mapping[str, HostRecord],
        plan: str,
        note: str,
        drift: Iterable[DriftItem] = (),
    ) -> None:
        """Record how a run ended, all of it or nothing."""
        with closing(self._open()) as database, database:
            database.execute(
                "update runs set ended = ?, exit_code = ?, plan = ?, note = ? where id = ?",
                (now, exit_code, plan, note, number),
            )
            database.executemany(
                "insert or replace into outcomes values (?,?,?,?,?)",
                [(number, r.host, r.outcome.value, r.changes, r.what) for r in hosts.values()],
            )
            database.executemany(
                "insert into drift values (?,?,?,?,?,?)",
                [(number, i.identity, i.host, i.what, i.standing.value, i.since) for i in drift],
            )
            chain.append(database, number, chain.ENDED)

    def add_note(self, number: int, note: str) -> None:
        """Add a line to what is said of a run."""
        with closing(self._open()) as database, database:
            database.execute(
                "update runs set note = trim(note || char(10) || ?, char(10)) where id = ?",
                (note, number),
            )
            chain.append(database, number, chain.NOTED)

    def runs(self, limit: int = 20) -> tuple[RunRecord, ...]:
        """Return the newest runs first."""
        with closing(self._open()) as database:
            rows = database.execute(_RUNS + "order by id desc limit ?", (limit,))
            return tuple(_record(row) for row in rows)

    def find(
        self, limit: int, *, verb: str = "", host: str = "", failed: bool = False
    ) -> tuple[RunRecord, ...]:
        """Return the newest runs of a verb, that looked at or changed a host, or that did not end well."""
        where: list[str] = ["1"]
        values: list[object] = []
        if verb:
            where.append("verb = ?")
            values.append(verb)
        if host:
            where.append("id in (select run from outcomes where host = ?)")
            values.append(host)
        if failed:
            where.append("(exit_code is null or exit_code not in (?,?))")
            values += [int(ExitCode.GOOD), int(ExitCode.DIFFERENT)]
        query = f"{_RUNS} where {' and '.join(where)} order by id desc limit ?"
        with closing(self._open()) as database:
            return tuple(_record(row) for row in database.execute(query, (*values, limit)))

    def run(self, number: int) -> RunRecord | None:
        """Return one run, or None."""
        with closing(self._open()) as database:
            row = database.execute(_RUNS + "where id = ?", (number,)).fetchone()
        return None if row is None else _record(row)

    def drift(self, number: int) -> tuple[DriftItem, ...]:
        """Return what a drift run found, by id."""
        query = (
            "select identity, host, what, standing, since from drift where run = ? "
            "order by identity"
        )
        with closing(self._open()) as database:
            return tuple(
                DriftItem(identity, host, what, Standing(standing), since)
                for identity, host, what, standing, since in database.execute(query, (number,))
            )

    def last_look(self, verb: str, modules: tuple[str, ...] | None = None) -> RunRecord | None:
        """Return the newest run of a verb that has looked, of these modules or of any."""
        query = f"{_RUNS} where verb = ? and exit_code in (?,?,?)"
        values: tuple[object, ...] = (verb, *LOOKED)
        if modules is not None:
            query += " and modules = ?"
            values = (*values, json.dumps(modules))
        with closing(self._open()) as database:
            row = database.execute(f"{query} order by id desc limit 1", values).fetchone()
        return None if row is None else _record(row)

    def hosts(self, number: int) -> tuple[HostRecord, ...]:
        """Return how the hosts of a run ended."""
        query = "select host, outcome, changes, what from outcomes where run = ? order by host"
        with closing(self._open()) as database:
            return tuple(
                HostRecord(host, Outcome(outcome), changes, what)
                for host, outcome, changes, what in database.execute(query, (number,))
            )

    def scope(self, number: int) -> Scope | None:
        """Return what a run was for; None where that was not written."""
        with closing(self._open()) as database:
            return scopes.kept(database, number)

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
            chain.append(database, number, chain.MARKED)

    def verify(self, head: str = "") -> chain.Verdict:
        """Compare the journal with its chain, which must hold the digest `head`."""
        with closing(self._open()) as database:
            database.execute("begin")  # entries and rows of one moment, whatever ends meanwhile
            return chain.verify(database, head)

    def marks(self, number: int) -> Marks | None:
        """Return what ran when a restart began; None when it never came so far."""
        with closing(self._open()) as database:
            row = database.execute("select marks from marks where run = ?", (number,)).fetchone()
        return None if row is None else json.loads(str(row[0]))

    def sets(self) -> dict[str, frozenset[str]]:
        """Return the host sets that --limit knows: @failed, @drifted and @unhealthy, from the newest runs.

        A run that ended before it knew anything of a host leaves the sets as they were.
        """
        bad = ("failed", "refused", "unreachable", "unknown", "skipped")
        looked = f"and exit_code in {LOOKED}"
        return {
            "failed": self._of_newest("verb = 'run' and ended is not null", bad),
            "drifted": self._of_newest(f"verb = 'drift' {looked}", ("changed",)),
            "unhealthy": self._of_newest(f"verb = 'health' {looked}", bad),
        }

    def _of_newest(self, which: str, outcomes: tuple[str, ...]) -> frozenset[str]:
        """Return the hosts that ended so in the newest of these runs that has any host."""
        newest = f"select max(id) from runs where {which} and id in (select run from outcomes)"
        with closing(self._open()) as database:
            (number,) = database.execute(newest).fetchone()
        marks = ",".join("?" * len(outcomes))
        query = f"select host from outcomes where run = ? and outcome in ({marks})"
        with closing(self._open()) as database:
            return frozenset(row[0] for row in database.execute(query, (number, *outcomes)))

    def _open(self) -> sqlite3.Connection:
        return open_database(self.path, self._wait)


def _record(row: tuple[object, ...]) -> RunRecord:
    number, verb, arguments, modules, owner, revision, started, ended, code, note, process, who = (
        row
    )
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
        str(process),
        Who.parse(str(who)),
    )


def _this_process() -> str:
    return _process(os.getpid())


def _process(pid: int) -> str:
    """Return the boot, the pid and the start of a process, which together no other ever has; empty when it is gone."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = status.rpartition(")")[2].split()  # a program's name may hold spaces and brackets
    return "" if fields[0] == "Z" else f"{boot} {pid} {fields[19]}"


def _is_alive(process: str) -> bool:
    return _process(int(process.split()[1])) == process


def revision(root: Path) -> str:
    """Return the git revision of the site's files, with + when they have been edited since."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty=+"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
