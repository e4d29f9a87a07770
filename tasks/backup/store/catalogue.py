"""The list of what is in the repository, as typed values. What backup-01 says is checked, not trusted. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keybuzz.site.backups.archive import Copy, DamagedListError

WHOLE = "whole"
_ID = re.compile(r"[0-9a-f]{16}")
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Kept:
    """One backup in the repository."""

    id: str
    service: str
    cluster: str
    source: str
    """The host that it was taken from."""
    began: float
    ended: float
    size: int
    verified: float
    wrong: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is in the repository, and what was restored from it."""

    copies: tuple[Kept, ...] = ()
    since: float = 0.0
    """When the first backup was taken; 0 where none was."""
    restored: Mapping[str, float] = field(default_factory=dict)
    """By service, when a backup of it was last restored and found whole."""


def parse(text: str) -> Catalogue:
    """Return the list; DamagedListError with the reason for a text that is none."""
    try:
        found = json.loads(text)
        return Catalogue(
            tuple(_kept(entry) for entry in found["copies"][:_MOST]),
            _moment(found["since"]),
            {str(name): _moment(value) for name, value in found["restored"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DamagedListError(
            f"its list cannot be read: {type(error).__name__}; the next backup or restore makes it again"
        ) from error


def copy_of(kept: Kept, living: str) -> Copy:
    """Return a backup as every service's is shown; `living` is the cluster there is now, empty when it does not say."""
    other = bool(living and kept.cluster and kept.cluster != living)
    foreign = f"it is of another cluster: {kept.cluster}, and the living one is {living}"
    return Copy(
        kept.id,
        True,  # what is not proven does not come in
        WHOLE,
        kept.began,
        kept.ended,
        kept.size,
        kept.verified,
        kept.wrong,
        foreign if other else "",
    )


def _kept(entry: Mapping[str, Any]) -> Kept:
    if not _ID.fullmatch(entry["id"]):
        raise ValueError("an id is none")
    return Kept(
        entry["id"],
        str(entry["service"])[:64],
        str(entry["cluster"])[:128],
        str(entry["source"])[:64],
        _moment(entry["began"]),
        _moment(entry["ended"]),
        int(entry["size"]),
        _moment(entry["verified"]),
        str(entry["wrong"])[:400],
    )


def _moment(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a time is none")
    return float(value)
