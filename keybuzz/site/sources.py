"""The files that a site was read from, and what was in them: a command that waited sees whether they are others now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from keybuzz.model.core.errors import InputError, RefusedError
from keybuzz.model.core.secret import sha256
from keybuzz.site.files.problems import read_file

_LARGEST = 16 << 20
"""Bytes of such a file."""
_NONE = ""
"""The digest of what is no file, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Digests by file, taken before the file was read: no change between the two goes unseen."""

    digests: Mapping[Path, str] = field(default_factory=dict)

    def joined(self, others: Sources) -> Sources:
        """Return both."""
        return Sources({**self.digests, **others.digests})

    def require_same(self) -> None:
        """Raise RefusedError when a file is another one than the command has read."""
        for path, digest in self.digests.items():
            if _digest(path) != digest:
                raise changed_since(path)


def sources_of(paths: Iterable[Path]) -> Sources:
    """Return what is in these files now; a file that is not there is one that may come."""
    return Sources({path: _digest(path) for path in paths})


def changed_since(path: Path) -> RefusedError:
    """Return the refusal for a file that was changed after it was read."""
    return RefusedError(
        "the site changed after this command had read it, before it held its leases",
        where=str(path),
        hint="nothing was changed; run it again: it reads the site as it is now",
    )


def _digest(path: Path) -> str:
    try:
        return sha256(read_file(path, _LARGEST))
    except InputError:
        return _NONE
