"""What `kbz adopt --take-settings` found: which settled values the live service has otherwise. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter whose live value is another than the site's, and the same on every member."""

    name: str
    site: str
    live: str
    hosts: tuple[str, ...]
    """All members: each says so."""


@dataclass(frozen=True, slots=True)
class Settling:
    """One module's settled values."""

    module: str
    taken: tuple[Setting, ...]
    left: Mapping[str, str]
    """Parameters whose live value differs and cannot be taken, or is not told by every member, and why."""
