"""Opens the journal's database: SQLite opens a path by itself, so what lies there is judged before."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from keybuzz.site.files.private import open_private, private_folder, require_private_file

_WITH = ("", "-wal", "-shm", "-journal")
"""Endings of the files that SQLite keeps next to one."""


def require_database(path: Path) -> None:
    """Raise StateError unless all files of a database are kbz's own, in a folder that no other user can write to."""
    for ending in _WITH:
        require_private_file(path.with_name(path.name + ending))


def open_database(path: Path, wait: float) -> sqlite3.Connection:
    """Return a connection to the database at `path`, which is made 0600 where it is missing.

    `wait` is in seconds: for another process to let go of it.
    """
    private_folder(path.parent)
    require_database(path)
    with suppress(FileExistsError):
        os.close(open_private(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
    database = sqlite3.connect(path, timeout=wait)
    database.execute("pragma journal_mode = wal")
    return database
