"""Opens files in folders that others than root may write, such as the data of a container's user.

What lies there may have been put there to harm: a link to a file of root, a pipe that never ends, a second name of
another's file, a file without an end. So a path is walked from the root, each part relative to the one before. Links
are followed where only root could have made them, and nowhere else. A file is opened only after it is known to be a
regular one, and never read further than its reader says.
"""

from __future__ import annotations

import os
import stat
from errno import ELOOP

from keybuzz.agent.guard import mounts
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KNOWN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
SMALL, LARGE = 1 << 20, 16 << 20
"""Bytes that are read of a file that a program keeps, and of one that is described or a list of packages."""
_MOST_LINKS = 40
_MOST_NAMES = 100_000
_BLOCK = 1 << 20
_KINDS = {stat.S_IFDIR: "a directory", stat.S_IFLNK: "a link", stat.S_IFREG: "a file"}


class UnsafeFileError(AgentError):
    """What lies at a path is not what may be opened there."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path} {what}", "look at it, move it away")


class Place:
    """A name in an open folder, which may not be there (yet); a context manager that closes the folder."""

    __slots__ = ("folder", "name", "path", "trusted")

    def __init__(self, path: str, folder: int, name: str, *, trusted: bool) -> None:
        self.path = path
        self.folder = folder
        """Descriptor: everything that is done with the name is done relative to it."""
        self.name = name
        self.trusted = trusted
        """Only root could have made what has the name."""

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.folder)

    def status(self) -> os.stat_result:
        """Return what lies there; a link is not followed. FileNotFoundError when there is nothing."""
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except OSError as error:
            raise _with_path(error, self.path) from None

    def is_mounted(self) -> bool:
        """Return whether something is mounted there, also a folder of the same file system."""
        try:
            looked = os.open(self.name, _LOOK, dir_fd=self.folder)
        except OSError as error:
            raise _with_path(error, self.path) from None
        try:
            return _mount_of(looked) != _mount_of(self.folder)
        finally:
            os.close(looked)

    def open(self) -> int:
        """Return a descriptor of the regular file; nothing else is opened, not even to look at it."""
        try:
            looked = os.open(self.name, _LOOK, dir_fd=self.folder)
        except OSError as error:
            raise _with_path(error, self.path) from None
        try:
            status = os.fstat(looked)
            if not stat.S_ISREG(status.st_mode):
                raise UnsafeFileError(self.path, f"must be a file and is {kind_of(status)}")
            foreign = status.st_uid != os.fstat(self.folder).st_uid
            if not self.trusted and status.st_nlink > 1 and foreign:
                raise UnsafeFileError(self.path, "is a second name of another user's file")
            return os.open(f"/proc/self/fd/{looked}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        finally:
            os.close(looked)

    def create(self, mode: int = 0o600) -> int:
        """Return a descriptor of a new file to be written; FileExistsError when there is anything."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self.name, flags, mode, dir_fd=self.folder)

    def discard(self) -> None:
        """Remove the name; fine when there is none."""
        try:
            os.unlink(self.name, dir_fd=self.folder)
        except FileNotFoundError:
            pass

    def beside(self, name: str) -> Place:
        """Return another name of the same folder, whose descriptor it shares."""
        path = os.path.join(os.path.dirname(self.path), name)
        return Place(path, self.folder, name, trusted=self.trusted)


def _mount_of(descriptor: int) -> str:
    """Return the kernel's number of the mount that an open file is in (proc(5))."""
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:
        return next((line.split()[1] for line in file if line.startswith("mnt_id:")), "")


def kind_of(status: os.stat_result) -> str:
    """Return what lies somewhere, in words."""
    return _KINDS.get(stat.S_IFMT(status.st_mode), "a pipe, socket or device")


def _with_path(error: OSError, path: str) -> OSError:
    """Return the error with the whole path in it: only a name was opened."""
    error.filename = path
    return error


_roots_own: set[str] = set()
"""Folders that only root can change, and neither the way to them: they need be walked to only once a request."""


def forget() -> None:
    """Walk to every folder again: a request begins, or something has been written."""
    _roots_own.clear()


def place(path: str, *, make: bool = False, final: bool = False) -> Place:
    """Walk to a path and return it in its open folder; with `make` missing folders are made as root's, 0755.

    With `final` a link of root's at the path itself is followed too. UnsafeFileError where another user's link, or
    something that is no folder, is on the way; FileNotFoundError when a folder is missing.
    """
    if not path.startswith("/"):
        raise UnsafeFileError(path, "is not an absolute path")
    mounts.refuse(path)
    folder, name = os.path.split(path)
    if folder in _roots_own and name and not final:
        return Place(path, os.open(folder, _KNOWN_FOLDER), name, trusted=True)
    walk = _Walk(path, make=make, final=final)
    try:
        found = walk.run()
    except BaseException:
        walk.close()
        raise
    if found.trusted and walk.private and not final:
        _roots_own.add(folder)
    return found


class _Walk:
    """One walk from the root to a path."""

    def __init__(self, path: str, *, make: bool, final: bool) -> None:
        self._path = path
        self._make = make
        self._final = final
        self._links = 0
        self._fd = -1
        self._begin(path)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _begin(self, path: str) -> None:
        self.close()
        mounts.refuse(path)
        self._fd = os.open("/", _FOLDER)
        self._real: list[str] = []
        self._left = [part for part in path.split("/") if part not in ("", ".")]
        self._trusted = True
        self.private = True
        """Only root may write in any folder on the way, not even in one like /tmp."""
        self._names_of_root = True
        """Whether no other user could have made, or renamed, an entry of root's in this folder."""

    def run(self) -> Place:
        while len(self._left) > 1 or (self._final and self._left and self._is_link()):
            self._step(self._left.pop(0))
        name = self._left[0] if self._left else "."
        return Place(self._path, self._fd, name, trusted=self._trusted and self._names_of_root)

    def _is_link(self) -> bool:
        try:
            status = os.stat(self._left[0], dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return stat.S_ISLNK(status.st_mode)

    def _step(self, name: str) -> None:
        if name == "..":
            self._begin("/".join(["", *self._real[:-1], *self._left]))
            return
        entry = self._entered(name)
        try:
            status = os.fstat(entry)
            trusted = self._trusted and self._names_of_root and status.st_uid in _ours()
            if stat.S_ISLNK(status.st_mode):
                self._follow(name, trusted=trusted)
                return
            if not stat.S_ISDIR(status.st_mode):
                raise NotADirectoryError(20, os.strerror(20), self._path)
            folder = os.open(".", _FOLDER, dir_fd=entry)
        finally:
            os.close(entry)
        os.close(self._fd)
        self._fd = folder
        self._real.append(name)
        self._trusted = trusted
        others = status.st_mode & (0o002 if status.st_gid == 0 else 0o022)
        self._names_of_root = not others or bool(status.st_mode & stat.S_ISVTX)
        self.private = self.private and not others

    def _entered(self, name: str) -> int:
        try:
            return os.open(name, _LOOK, dir_fd=self._fd)
        except FileNotFoundError:
            if not self._make:
                raise FileNotFoundError(2, os.strerror(2), self._path) from None
        os.mkdir(name, 0o755, dir_fd=self._fd)
        return os.open(name, _LOOK, dir_fd=self._fd)

    def _follow(self, name: str, *, trusted: bool) -> None:
        here = "/".join(["", *self._real, name])
        if not trusted:
            raise UnsafeFileError(here, "is a link that another user than root may have made")
        self._links += 1
        if self._links > _MOST_LINKS:
            raise OSError(ELOOP, os.strerror(ELOOP), self._path)
        target = os.readlink(name, dir_fd=self._fd)
        start = "" if target.startswith("/") else "/".join(["", *self._real])
        self._begin("/".join([start, target, *self._left]))


def _ours() -> tuple[int, int]:
    return 0, os.geteuid()


def status(path: str) -> os.stat_result:
    """Return what lies at a path; a link there is not followed. FileNotFoundError when there is nothing."""
    with place(path) as found:
        return found.status()


def is_there(path: str) -> bool:
    """Return whether anything has this name."""
    try:
        status(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def is_folder(path: str) -> bool:
    """Return whether a folder lies there."""
    try:
        return stat.S_ISDIR(status(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def is_file(path: str) -> bool:
    """Return whether a regular file lies there."""
    try:
        return stat.S_ISREG(status(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def opened(path: str, *, final: bool = False) -> int:
    """Return a descriptor of the regular file at a path."""
    with place(path, final=final) as found:
        return found.open()


def read(path: str, most: int, *, final: bool = False) -> bytes:
    """Return the content of a regular file; UnsafeFileError when it is longer than `most` bytes."""
    with os.fdopen(opened(path, final=final), "rb") as file:
        return whole(file.fileno(), path, most)


def whole(descriptor: int, path: str, most: int) -> bytes:
    """Return the content of an open file; UnsafeFileError when it is longer than `most` bytes."""
    size = os.fstat(descriptor).st_size
    pieces, left = [], most + 1
    while size <= most and left > 0 and (piece := os.read(descriptor, min(left, _BLOCK))):
        pieces.append(piece)
        left -= len(piece)
    if size > most or left <= 0:
        raise UnsafeFileError(path, f"is longer than the {most} bytes that are read of it")
    return b"".join(pieces)


def head(path: str, size: int, *, final: bool = False) -> bytes:
    """Return the first bytes of a regular file."""
    with os.fdopen(opened(path, final=final), "rb") as file:
        return file.read(size)


def text(path: str, most: int, *, final: bool = False) -> str:
    """Return the text of a regular file; what is not UTF-8 in it is replaced."""
    return read(path, most, final=final).decode("utf-8", "replace")


def names(path: str) -> list[str]:
    """Return the names in a folder; UnsafeFileError when there are more than anybody could look at."""
    return [name for name, _ in entries(path)]


def entries(path: str) -> list[tuple[str, int]]:
    """Return each name in a folder with its type (as of S_IFMT), in the order of the names."""
    with place(path, final=True) as found:
        folder = os.open(found.name, _FOLDER, dir_fd=found.folder)
        try:
            return sorted(_listed(folder, path))
        finally:
            os.close(folder)


def _listed(folder: int, path: str) -> Iterator[tuple[str, int]]:
    with os.scandir(folder) as found:
        for number, entry in enumerate(found):
            if number >= _MOST_NAMES:
                raise UnsafeFileError(path, f"holds more than {_MOST_NAMES} names")
            yield entry.name, _type(entry)


def _type(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return stat.S_IFLNK
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    return stat.S_IFREG if entry.is_file(follow_symlinks=False) else 0


def make_folders(path: str, mode: int = 0o755) -> None:
    """Make a folder, and those above it as root's, 0755; fine when it is there."""
    with place(path, make=True) as found:
        try:
            os.mkdir(found.name, mode, dir_fd=found.folder)
        except FileExistsError:
            if not stat.S_ISDIR(found.status().st_mode):
                raise UnsafeFileError(
                    path, f"must be a directory and is {kind_of(found.status())}"
                ) from None
