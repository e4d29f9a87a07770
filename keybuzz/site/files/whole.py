"""Puts a file in place at once, through a new file that nothing planted before can stand in for."""

from __future__ import annotations

import glob
import os
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from keybuzz.model.core.errors import RefusedError

_NEW = ".kbz-new"
_STALE = 3600.0
"""Seconds after which no process is still writing such a file."""


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

    The new file has a name of its own, so that of two processes neither takes what the other has half written. It
    belongs to this process's user and group, or to those of `owner`.
    """
    _clear(path)
    descriptor, name = tempfile.mkstemp(_NEW, f".{path.name}.", path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            _give(descriptor, owner)
            os.fchmod(descriptor, mode)
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _clear(path: Path) -> None:
    """Remove the new files that processes have left which were killed; one that is young may be at work."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{_NEW}"):
        with suppress(
            OSError
        ):  # gone, or of another user: what is written now does not depend on it
            if time.time() - left.lstat().st_mtime > _STALE:
                left.unlink()


def _give(descriptor: int, owner: tuple[int, int] | None) -> None:
    """Let a new file belong to this user and group."""
    status = os.fstat(descriptor)
    if owner is not None and owner != (status.st_uid, status.st_gid):
        os.fchown(descriptor, *owner)
