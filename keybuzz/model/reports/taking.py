"""What `kbz adopt --take-credentials` found: which live credentials the store would take over. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keybuzz.model.core.secret import Secret


@dataclass(frozen=True, slots=True)
class Taken:
    """One live credential that the store lacks or has otherwise."""

    name: str
    file: str
    """Of the store."""
    places: Mapping[str, tuple[str, ...]]
    """Where its value stands: place to hosts, such as `container db, option --password`."""
    proof: str
    """Why it is taken for the live one."""
    value: Secret
    weak: str = ""
    """What replaces it, where it is shorter than a secret should be, or one that everybody tries first."""


@dataclass(frozen=True, slots=True)
class Taking:
    """One module's live credentials."""

    module: str
    taken: tuple[Taken, ...]
    same: tuple[str, ...]
    """Credentials of which the live value is in the store already."""
    left: Mapping[str, str]
    """Credentials whose live value is not known, and why."""
    problems: tuple[str, ...]
    """Places that could not be looked into, with their host."""
