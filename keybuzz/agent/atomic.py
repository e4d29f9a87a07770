"""A file's content in one step: written beside it with owner and mode first, then renamed over it."""

from __future__ import annotations

import contextlib
import os

from keybuzz.agent.ending import CLEANUPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def beside(path: str, word: str) -> str:
    """Return our hidden name for something that belongs to this file and lies in its directory."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.kbz-{word}")


def discard(path: str) -> None:
    """Remove the file; fine when there is none."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


@contextlib.contextmanager
def replacing(
    path: str, content: bytes, owner: int = 0, group: int = 0, mode: int = 0o644
) -> Iterator[str]:
    """Give the block the name of the complete new file; it takes the place of `path` when the block is left.

    When the block raises, `path` is untouched. A link at `path` is replaced, never followed.
    """
    temporary = beside(path, "new")
    discard(temporary)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    # An agent that loses its controller right here takes the temporary file with it.
    descriptor, ticket = CLEANUPS.begin(
        lambda: os.open(temporary, flags, 0o600), lambda _: discard(temporary)
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchown(file.fileno(), owner, group)
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
        os.rename(temporary, path)
        _sync_directory(os.path.dirname(path))
    finally:
        discard(temporary)
        CLEANUPS.forget(ticket)


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
