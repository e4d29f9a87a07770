"""What lies in an archive of backups, and how one is named. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from keybuzz.model.core.access import Looks
from keybuzz.model.core.resource import Json


class BackupEntry(TypedDict):
    """One base backup as Barman describes it."""

    id: str
    status: str
    begin: float
    """Seconds since the epoch; 0 where it does not say."""
    end: float
    size: int
    begin_wal: str
    end_wal: str
    system: str
    """The number that initdb gave the cluster."""
    verified: float
    """When `kbz backup verify` found it whole; 0 when it never did."""
    wrong: str
    """What the last verification found; empty when nothing."""


class BackupsAnswer(TypedDict):
    """Of BackupLook."""

    backups: list[BackupEntry]
    wals: int
    """Files of WAL that are filed."""
    last_wal: str
    last_wal_at: float
    """When the last byte of that file came; 0 where none is filed."""
    missing: list[str]
    """Names of WAL files that are not there and are needed by what follows the oldest backup: the first of them."""
    last_missing: str
    """The last of them; empty when none is missing."""
    restored: float
    """When a backup was last restored and opened; 0 when none was."""
    since: float
    """When the archive was made; now where it is not there yet."""
    now: float
    """When it was read, by the clock of the host that wrote all these times."""
    total: int
    """Bytes of the file system."""
    free: int


@dataclass(frozen=True, slots=True)
class BackupLimits:
    """From when on a check of the backups says something."""

    age_hours: int = 26
    verified_days: int = 8
    restored_days: int = 35
    room_warn: int = 75
    room_critical: int = 90
    services: tuple[str, ...] = ()
    """What the site has beside PostgreSQL that is backed up."""


@dataclass(frozen=True, slots=True)
class BackupLook(Looks):
    """A reading: the backups of one PostgreSQL cluster in Barman's folder (fields: tasks.backup.agent.look)."""

    answers: ClassVar[type] = BackupsAnswer
    name: str
    folder: str
    """Of the cluster, below Barman's home."""
    marks: str
    """Folder in which kbz notes what was verified and restored."""
    limits: BackupLimits = BackupLimits()

    def query(self) -> Json:
        """Return the agent's frame."""
        return {"kind": "backups", "name": self.name, "folder": self.folder, "marks": self.marks}
