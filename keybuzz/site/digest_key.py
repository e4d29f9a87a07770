"""The site's key for digests of secrets: made once, 0600, so that saved plans stay comparable."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.secret import DigestKey
from keybuzz.site.files.private import StateError, private_folder, read_private

_BYTES = 32


def digest_key(state: Path) -> DigestKey:
    """Return the key of a state folder, which is made where it is missing; StateError for one that is no key."""
    private_folder(state)
    known = known_digest_key(state)
    if known is None:
        _make(state)
        known = known_digest_key(state)
    assert known is not None  # it was linked there, or another process was first
    return known


def known_digest_key(state: Path) -> DigestKey | None:
    """Return the key, or None where none was made yet; StateError for one that others may know, or that is no key."""
    path = state / "digest.key"
    try:
        content = read_private(path, _BYTES, secret=True)
    except FileNotFoundError:
        return None
    if len(content) != _BYTES:
        raise StateError(
            f"is no key: it has {len(content)} bytes, not {_BYTES}",
            where=str(path),
            hint=f"put it back from a backup; or {proposed('rm', path)}: the next command makes a new one, "
            "and plans that were saved before can no longer be compared",
        )
    return DigestKey(content)


def _make(state: Path) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".digest.", dir=state)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_bytes(_BYTES))
            stream.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):  # another command was first
            os.link(temporary, state / "digest.key")
    finally:
        temporary.unlink()
