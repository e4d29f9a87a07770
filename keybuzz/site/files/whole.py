"""Puts a file in place at once, through a new file that nothing planted before can stand in for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from keybuzz.model.core.errors import RefusedError


def put_over(path: Path, content: bytes) -> None:
    """Replace a file that is there at once: mode, owner and group stay, and a link to it still leads to it.

    RefusedError when its owner or group cannot be kept; nothing is written then.
    """
    place = path.resolve()
    status = place.stat()
    try:
        put(place, content, stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid))
    except PermissionError as error:
        raise RefusedError(
            f"cannot be written as it is owned (by {status.st_uid}:{status.st_gid}): {error.strerror}",
            where=str(place),
            hint="run the command as its owner, or as root; nothing was written",
        ) from None


def put(path: Path, content: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Replace a file at once. Its mode counts from the first moment, and a crash leaves the old file.

    What lies at the name of the new file is removed, never followed or written to. It belongs to this process's user
    and group, or to those of `owner`.
    """
    temporary = path.with_name(f".{path.name}.kbz-new")
    temporary.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        _give(descriptor, owner, temporary)
        os.fchmod(descriptor, mode)
        stream.write(content)
        stream.flush()
        os.fsync(descriptor)
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _give(descriptor: int, owner: tuple[int, int] | None, temporary: Path) -> None:
    """Let a new file belong to this user and group; nothing is left of it where that is not permitted."""
    status = os.fstat(descriptor)
    if owner is None or owner == (status.st_uid, status.st_gid):
        return
    try:
        os.fchown(descriptor, *owner)
    except OSError:
        temporary.unlink()
        raise
