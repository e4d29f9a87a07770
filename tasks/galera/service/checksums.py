"""A reading: checksums of the tables of one MariaDB server, to compare the members of a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from keybuzz.model.core.access import Looks
from keybuzz.model.core.resource import Json
from tasks.galera.service.resources import MysqlAccess


class TableAnswer(TypedDict):
    """One table: its engine, about how many rows, and its checksum; empty where it was too large to be read."""

    engine: str
    rows: int
    checksum: str


class ChecksumsAnswer(TypedDict):
    """Of MysqlChecksums: tables of users by `database.table`."""

    denied: str
    tables: dict[str, TableAnswer]


@dataclass(frozen=True, slots=True)
class MysqlChecksums(Looks):
    """CHECKSUM TABLE of every table of users up to a size; more tables than `most` are a problem."""

    answers: ClassVar[type] = ChecksumsAnswer

    name: str
    access: MysqlAccess
    largest: int = 64 << 20
    """Bytes: a larger table is not read."""
    most: int = 2000
    timeout: float = 60.0
    """Seconds for all of it."""

    def query(self) -> Json:
        """Return the agent's frame, which holds the password."""
        return {
            "kind": "mysql-checksums",
            "name": self.name,
            "access": self.access.order(),
            "largest": self.largest,
            "most": self.most,
            "timeout": self.timeout,
        }
