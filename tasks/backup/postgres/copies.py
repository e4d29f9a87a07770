"""The backups of PostgreSQL as typed values, from what backup-01 says lies there. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keybuzz.model.core.reading import Answer
from keybuzz.site.backups.archive import Copy
from tasks.backup.desired import ARCHIVE, SOURCE
from tasks.backup.readings import BackupEntry

DONE = "DONE"
"""Barman's word for a backup that was taken whole, with the WAL that it needs."""


def copies(answers: Mapping[str, Answer]) -> tuple[Copy, ...]:
    """Return the backups, the oldest first. ValueError with the reason when the host does not say."""
    found = answers[ARCHIVE]
    if not found.known:
        raise ValueError(found.problem)
    living = _system(answers.get(SOURCE))
    return tuple(_copy(entry, living) for entry in found.value["backups"])


def newest_good(found: Sequence[Copy]) -> Copy | None:
    """Return the newest backup that was taken whole, of which nothing bad is known; None without one."""
    return next((copy for copy in reversed(found) if copy.good and not copy.wrong), None)


def _copy(entry: BackupEntry, living: str) -> Copy:
    return Copy(
        entry["id"],
        entry["status"] == DONE,
        entry["status"],
        entry["begin"],
        entry["end"],
        entry["size"],
        entry["verified"],
        f"it was not taken whole: {entry['status']}" if entry["status"] != DONE else entry["wrong"],
        _foreign(entry, living),
    )


def _foreign(entry: BackupEntry, living: str) -> str:
    """Return of which other cluster it is: after a rebuild from zero these are the ones with the data."""
    if living and entry["system"] and entry["system"] != living:
        return f"it is of another cluster: {entry['system']}, and the living one is {living}"
    return ""


def _system(answer: Answer | None) -> str:
    """Return the number of the living cluster; empty when it does not answer, as on the worst day."""
    if answer is None or not answer.known or not answer.value["accepted"]:
        return ""
    row = answer.value.get("row", [])
    return str(row[0]) if row else ""
