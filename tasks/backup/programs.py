"""The programs of backup-01 that a backup and a restore share. Pure."""

from __future__ import annotations

from keybuzz.site.backups.archive import Work
from tasks.backup import values

SECONDS = 6 * 3600.0
"""For a base backup, and for reading one again: 200 GB at 10 MB/s."""


def barman(*words: str) -> tuple[str, ...]:
    """Return Barman's command line with kbz's configuration: the package's own names no server."""
    return ("barman", "-q", "-c", values.BARMAN_CONF, *words)


def note(name: str, text: str = "") -> Work:
    """Return what writes a mark: its time is when, and its text what was found."""
    path = f"{values.MARKS}/{name}"
    return Work(f"note {name}", ("install", "-m", "600", "/dev/stdin", path), 60.0, stdin=text)
