"""A file's content in one step: written beside it with owner and mode first, then renamed over it."""

from __future__ import annotations

import os

from keybuzz.agent.runtime.ending import CLEANUPS


def beside(path: str, word: str) -> str:
    """Return our hidden name for something that belongs to this file and lies in its directory."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.kbz-{word}")


def discard(path: str) -> None:
    """Remove the file; fine when there is none."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


class Replacement:
    """Gives the block the name of the complete new file; it takes the place of `path` when the block is left.

    When the block raises, `path` is untouched. A link at `path` is replaced, never followed.
    """

    def __init__(self, path: str, content: bytes, owner: int, group: int, mode: int) -> None:
        self._path = path
        self._content = content
        self._owner = (owner, group)
        self._mode = mode
        self._temporary = beside(path, "new")
        self._ticket = 0

    def __enter__(self) -> str:
        discard(self._temporary)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        # An agent that loses its controller right here takes the temporary file with it.
        descriptor, self._ticket = CLEANUPS.begin(
            lambda: os.open(self._temporary, flags, 0o600), lambda _: discard(self._temporary)
        )
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchown(file.fileno(), *self._owner)
                os.fchmod(file.fileno(), self._mode)
                file.write(self._content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            self._forget()
            raise
        return self._temporary

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                os.rename(self._temporary, self._path)
                _sync_directory(os.path.dirname(self._path))
        finally:
            self._forget()

    def _forget(self) -> None:
        discard(self._temporary)
        CLEANUPS.forget(self._ticket)


def replacing(
    path: str, content: bytes, owner: int = 0, group: int = 0, mode: int = 0o644
) -> Replacement:
    """Return the replacement of a file, for a `with` block."""
    return Replacement(path, content, owner, group, mode)


def replace(path: str, content: bytes) -> None:
    """Put a file of root, mode 0644, in place in one step."""
    with replacing(path, content):
        pass


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
