"""Which formats of data each version of a service loads: one form for the tables of all modules. Pure values.

A module that keeps data has one table, `FORMATS` in its `formats.py`. Nothing else in kbz knows a version of data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from keybuzz.model.core.errors import InputError

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Loads:
    """What a service loads from one of its versions on, until the next row of the table."""

    since: Version
    formats: tuple[str, ...]
    """The oldest first; the last is what that version writes."""


@dataclass(frozen=True, slots=True)
class Formats:
    """The table of one service."""

    service: str
    """As people call it, such as `PostgreSQL`."""
    image: str
    """Its image's name in versions.yaml."""
    called: str
    """What comes before a format, such as `RDB`."""
    tag: re.Pattern[str]
    """The version in an image's reference; each group is a number of it."""
    example: str
    """A reference that names a version."""
    rows: tuple[Loads, ...]
    """The newest first."""
    until: Version
    """The first version that the table does not know: nothing is told of it, or of a later one."""

    def loaded(self, image: str) -> tuple[str, ...]:
        """Return the formats that an image loads; InputError when its tag names no version, or one before the table."""
        found = self.tag.search(image)
        if found is None:
            raise InputError(
                f"the tag of {image} names no version of {self.service}",
                where="versions.yaml",
                hint=f"which data it can load cannot be told; use a tag such as {self.example}",
            )
        version = tuple(map(int, found.groups()))
        if version >= self.until:
            raise InputError(
                f"{image} is newer than what kbz knows of the data of {self.service} (before {_shown(self.until)})",
                where="versions.yaml",
                hint="which data it writes cannot be told; use an older one, or a newer release of kbz",
            )
        row = next((row for row in self.rows if version >= row.since), None)
        if row is None:
            raise InputError(
                f"{image} is older than {_shown(self.rows[-1].since)}, the oldest {self.service} that kbz knows",
                where="versions.yaml",
                hint="which data it can load cannot be told; use a newer one",
            )
        return row.formats

    def newest(self, image: str) -> str:
        """Return the newest format that an image loads: what it writes."""
        return self.loaded(image)[-1]

    def newer_than(self, image: str) -> tuple[str, ...]:
        """Return the formats of the table that an image does not load, because they came after it."""
        known = self.loaded(image)
        return tuple(item for item in self.rows[0].formats if item not in known)

    def first_version(self, data: str) -> str:
        """Return the first version that loads a format; empty for one that the table does not have."""
        known = any(data in row.formats for row in self.rows)
        return _shown(self.age(data)) if known else ""

    def age(self, data: str) -> Version:
        """Return the first version that loads a format, to compare; what the table does not have is newer than all."""
        return min((row.since for row in self.rows if data in row.formats), default=(1 << 30,))

    def way_out(self, data: str) -> str:
        """Return what an operator can do about data of a format that the frozen image does not load."""
        first = self.first_version(data)
        later = " or later" if data in self.rows[0].formats else ""
        version = f"{self.service} {first}{later}" if first else "the version that wrote it"
        return f"put {version} into versions.yaml as `{self.image}`; data is never converted or removed"


def growing(*steps: tuple[Version, tuple[str, ...]]) -> tuple[Loads, ...]:
    """Return the rows of a service that loads everything that it ever wrote, from what each version added."""
    rows: list[Loads] = []
    known: tuple[str, ...] = ()
    for since, added in sorted(steps):
        known += added
        rows.insert(0, Loads(since, known))
    return tuple(rows)


def _shown(version: Version) -> str:
    return ".".join(map(str, version))
