"""The one opener for the state folder: what lies there is kbz's own, or it is not used.

The folder must be one that no other user can write to. A file in it is opened only when it is a regular file, of root
or of this user, that no other user can write to; a link is not followed, and a pipe or device is never opened.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.proposed import proposed

_OTHERS_WRITE = 0o022
_OTHERS = 0o077
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


class StateError(InputError):
    """Something in the state folder cannot be used, or must not be."""


def private_folder(folder: Path) -> Path:
    """Return a folder of kbz's own, made 0700 where it is missing; StateError for one that another user can write to.

    A link is allowed for the state folder itself, which the operator names, and judged by where it leads.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise _unusable(folder, error) from error
    _require_folder(folder)
    return folder


def private_subfolder(folder: Path) -> Path:
    """Return a folder in the state folder, made where it is missing; StateError for a link, or for one of others."""
    private_folder(folder.parent)
    try:
        folder.mkdir(exist_ok=True, mode=0o700)
        status = folder.lstat()
    except OSError as error:
        raise _unusable(folder, error) from error
    if not stat.S_ISDIR(status.st_mode):
        raise _other_kind(folder, status.st_mode, "a folder")
    _require_own(folder, status, "the state folder")
    return folder


def open_private(path: Path, flags: int, *, secret: bool = False) -> int:
    """Return a descriptor of a file of the state folder; with O_CREAT a new one has the mode 0600.

    StateError for anything else than kbz's own file, with `secret` also for one that another user can read.
    FileNotFoundError where nothing is there.
    """
    _require_folder(path.parent)
    try:
        # Looked at first: to open a device can have an effect of its own. No other user can change it meanwhile.
        if not stat.S_ISREG(mode := path.lstat().st_mode):
            raise _other_kind(path, mode, "a file")
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        descriptor = os.open(path, flags | _SAFE, 0o600)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        _require_file(path, os.fstat(descriptor), secret=secret)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def require_private_file(path: Path, *, secret: bool = False) -> None:
    """Raise StateError for what `open_private` would not open; for a file that another library opens by its path."""
    try:
        _require_folder(path.parent)
        status = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unusable(path, error) from error
    _require_file(path, status, secret=secret)


def read_private(path: Path, limit: int, *, secret: bool = False) -> bytes:
    """Return the content of a file of the state folder; StateError above `limit` bytes."""
    with os.fdopen(open_private(path, os.O_RDONLY, secret=secret), "rb") as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise StateError(
            f"is larger than {limit} bytes",
            where=str(path),
            hint="only kbz writes it: look at it, move it away",
        )
    return content


def remove_private(path: Path) -> None:
    """Remove a file of the state folder, whatever it is; fine when there is none."""
    try:
        _require_folder(path.parent)
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unusable(path, error) from error


def _require_folder(folder: Path) -> None:
    """Raise StateError for a folder that another user can write to; FileNotFoundError without it. Makes nothing."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unusable(folder, error) from error
    if not stat.S_ISDIR(status.st_mode):
        raise _other_kind(folder, status.st_mode, "a folder")
    _require_own(folder, status, "the state folder")


def _require_file(path: Path, status: os.stat_result, *, secret: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _other_kind(path, status.st_mode, "a file")
    _require_own(path, status, "it")
    if secret and status.st_mode & _OTHERS:
        raise StateError(
            f"other users may read it (mode {stat.S_IMODE(status.st_mode):04o})",
            where=str(path),
            hint=proposed("chmod", "600", path),
        )


def _require_own(path: Path, status: os.stat_result, subject: str) -> None:
    """Raise StateError for what another user owns, or can write to."""
    if status.st_uid not in (0, os.geteuid()):
        what = f"belongs to the user {status.st_uid}"
    elif status.st_mode & _OTHERS_WRITE:
        what = f"may be written by other users (mode {stat.S_IMODE(status.st_mode):04o})"
    else:
        return
    owned = proposed("chown", "-R", os.geteuid(), path)
    mode = "0700" if stat.S_ISDIR(status.st_mode) else "0600"
    raise StateError(
        f"{subject} {what}: kbz keeps keys, leases and its journal there",
        where=str(path),
        hint=f"look what is in it, then: {owned} && {proposed('chmod', mode, path)}",
    )


def _other_kind(path: Path, mode: int, wanted: str) -> StateError:
    kind = _KINDS.get(stat.S_IFMT(mode), "a file" if stat.S_ISREG(mode) else "a device")
    return StateError(
        f"is {kind}, not {wanted}",
        where=str(path),
        hint="kbz never makes one there: look at it, move it away",
    )


def _unusable(path: Path, error: OSError) -> StateError:
    if error.errno == errno.ELOOP:
        return _other_kind(path, stat.S_IFLNK, "a file")
    return StateError(
        f"cannot be used: {error.strerror or error}",
        where=str(error.filename or path),
        hint="the state folder (paths.state in site.yaml) must be a place that this user can write to",
    )
