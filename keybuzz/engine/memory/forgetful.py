"""What a journal that cannot be used means: a look goes on and says that it is not remembered; a change does not begin.

Damaged, locked, read-only, on a full disk, or of another user: SQLite tells it at any call, so every call of a look
goes through here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

from keybuzz.engine.memory.journal import SCHEMA, Journal
from keybuzz.model.core.visible import one_line
from keybuzz.site.files.private import StateError

T = TypeVar("T")
UNUSABLE = (sqlite3.Error, OSError, ValueError, TypeError, IndexError, StateError)
"""What a call of the journal raises when its file cannot be used, or a damaged cell holds what no command wrote."""
LOOK_WAIT = 5.0
"""Seconds that a look waits for another process to let go of the journal."""


class ForgetfulJournal(Journal):
    """A journal without a file: it knows no earlier run, and begins none."""

    def __init__(self, path: Path, error: Exception) -> None:
        self.path = path
        self.trouble = trouble(path, error)
        self._error = error

    def begin(self, *arguments: object, **named: object) -> NoReturn:
        """Raise why nothing can be remembered: who must be remembered does not begin."""
        raise self._error

    def require_room(self) -> NoReturn:
        """Raise why nothing can be remembered."""
        raise self._error

    def sets(self) -> NoReturn:
        """Raise why no set is known: an empty one would be what all hosts are not in."""
        raise self._error

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(":memory:")
        database.executescript(SCHEMA)
        return database


def open_journal(path: Path, wait: float) -> Journal:
    """Return the journal, or one that remembers nothing where its file cannot be used."""
    try:
        return Journal(path, wait)
    except UNUSABLE as error:
        return ForgetfulJournal(path, error)


def read_or(journal: Journal, read: Callable[[], T], otherwise: T) -> T:
    """Return what is read from the journal, or something else where it cannot be read; its `trouble` says why."""
    try:
        return read()
    except UNUSABLE as error:
        journal.trouble = trouble(journal.path, error)
        return otherwise


def trouble(path: Path, error: Exception) -> str:
    """Return the sentence for a run that is not remembered, or not completely."""
    return one_line(f"this run is not remembered: the journal {path} cannot be used: {error}")
