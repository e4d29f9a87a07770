"""Which format of data each version of Redis can load, by Redis' own history of RDB versions. Data only."""

from __future__ import annotations

import re

from keybuzz.model.core.errors import InputError

RDB_BY_VERSION = (
    ((8, 8), 14),
    ((8, 6), 13),
    ((7, 4), 12),
    ((7, 2), 11),
    ((7, 0), 10),
    ((5, 0), 9),
    ((4, 0), 8),
    ((3, 2), 7),
    ((2, 6), 6),
)
"""The first version that writes a format, newest first: every later one loads it (Redis, src/rdb.h)."""
_TAG = re.compile(r":v?(\d+)\.(\d+)(?:[.\-@]|$)")


def newest_rdb(image: str) -> int:
    """Return the newest RDB version that an image of Redis can load; InputError when its tag names no version."""
    found = _TAG.search(image)
    if found is None:
        raise InputError(
            f"the tag of {image} names no version of Redis",
            where="versions.yaml",
            hint="which data it can load cannot be told; use a tag such as redis:7.2.5-alpine",
        )
    version = int(found[1]), int(found[2])
    return next((rdb for first, rdb in RDB_BY_VERSION if version >= first), 0)


def first_version(rdb: int) -> str:
    """Return the first version of Redis that loads a format; empty for one that the table does not have."""
    found = next((first for first, number in reversed(RDB_BY_VERSION) if number >= rdb), None)
    return f"{found[0]}.{found[1]}" if found else ""
