"""The journal for whoever only reads it: SQLite itself refuses a write there, and makes no file that is not there."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from keybuzz.engine.memory.database import require_database
from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.memory.journal import Journal

_WAIT = 5.0
"""Seconds for a lock; a reader beside a writer needs none."""


class JournalReader(Journal):
    """The journal of a site as it is at each call; sqlite3.OperationalError for a call that writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _open(self) -> sqlite3.Connection:
        return _reading(self.path)


class DocumentsReader(Documents):
    """The documents beside it, in the same way."""

    def __init__(self, journal: Path) -> None:
        self._path = journal

    def _open(self) -> sqlite3.Connection:
        return _reading(self._path)


def _reading(path: Path) -> sqlite3.Connection:
    require_database(path)
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_WAIT)
