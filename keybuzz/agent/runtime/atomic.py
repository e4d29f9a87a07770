"""A file's content in one step: written next to it with owner and mode first, then renamed over it."""

from __future__ import annotations

import os

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.ending import CLEANUPS


def beside(path: str, word: str) -> str:
    """Return our hidden name for something that belongs to this file and lies in its directory."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.kbz-{word}")


def discard(path: str) -> None:
    """Remove the file; fine when there is none."""
    try:
        with opener.place(path) as found:
            found.discard()
    except FileNotFoundError:
        pass


class Replacement:
    """Gives the block the name of the complete new file; it takes the place of `path` when the block is left.

    When the block raises, `path` is untouched. A link at `path` is replaced, never followed. The folder is held open:
    a folder that is put in its place meanwhile gets nothing.
    """

    def __init__(self, path: str, content: bytes, owner: int, group: int, mode: int) -> None:
        self._path = path
        self._content = content
        self._owner = (owner, group)
        self._mode = mode
        self._ticket = 0

    def __enter__(self) -> str:
        self._new = opener.place(beside(self._path, "new"))
        self._new.discard()
        # An agent that loses its controller right here takes the temporary file with it.
        descriptor, self._ticket = CLEANUPS.begin(self._new.create, lambda _: self._new.discard())
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
        return self._new.path

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        folder = self._new.folder
        try:
            if kind is None:
                target = os.path.basename(self._path)
                os.rename(self._new.name, target, src_dir_fd=folder, dst_dir_fd=folder)
                os.fsync(folder)
        finally:
            self._forget()

    def _forget(self) -> None:
        self._new.discard()
        CLEANUPS.forget(self._ticket)
        os.close(self._new.folder)


def replacing(
    path: str, content: bytes, owner: int = 0, group: int = 0, mode: int = 0o644
) -> Replacement:
    """Return the replacement of a file, for a `with` block."""
    return Replacement(path, content, owner, group, mode)


def replace(path: str, content: bytes) -> None:
    """Put a file of root, mode 0644, in place in one step."""
    with replacing(path, content):
        pass
