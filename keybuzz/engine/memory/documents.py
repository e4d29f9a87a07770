"""The JSON documents that runs end with, beside the journal's rows: no column has a drill's trials, or a whole look."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from keybuzz.engine.memory import chain
from keybuzz.engine.memory.database import open_database
from keybuzz.engine.memory.journal import Journal


class Documents:
    """In the journal's own file; a run that is forgotten there takes its document along."""

    def __init__(self, journal: Path) -> None:
        self._path = Journal(journal).path  # which makes the table

    def keep(self, run: int, document: str) -> None:
        """Keep the document of a run."""
        with closing(self._open()) as database, database:
            database.execute("insert or replace into documents values (?,?)", (run, document))
            chain.append(database, run, chain.KEPT)

    def of(self, run: int) -> str:
        """Return the document of a run; empty when none was kept."""
        query = "select document from documents where run = ?"
        with closing(self._open()) as database:
            row = database.execute(query, (run,)).fetchone()
        return str(row[0]) if row else ""

    def runs(self, verb: str) -> tuple[int, ...]:
        """Return the runs of a verb whose documents are kept, newest first."""
        query = "select run from documents join runs on id = run where verb = ? order by run desc"
        with closing(self._open()) as database:
            return tuple(row[0] for row in database.execute(query, (verb,)))

    def forget(self, runs: Iterable[int]) -> None:
        """Keep the documents of these runs no longer; the runs stay."""
        with closing(self._open()) as database, database:
            for run in runs:
                if database.execute("delete from documents where run = ?", (run,)).rowcount:
                    chain.append(database, run, chain.DROPPED)

    def _open(self) -> sqlite3.Connection:
        return open_database(self._path, 30.0)
