"""What happened to the files of a folder, in order, as the kernel tells it."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAMES = {0x2: "modified", 0x4: "attributes", 0x40: "moved from", 0x80: "moved to", 0x100: "made"}
_HEADER = struct.Struct("iIII")


class Watch:
    """Events of one folder since it was made."""

    def __init__(self, folder: Path) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._descriptor = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        mask = sum(_NAMES)
        assert library.inotify_add_watch(self._descriptor, os.fsencode(folder), mask) > 0

    def events(self, name: str) -> list[str]:
        """Return what happened to one name; the kernel tells equal neighbours once."""
        data = os.read(self._descriptor, 1 << 16)
        found = []
        while data:
            _, mask, _, length = _HEADER.unpack_from(data)
            end = _HEADER.size + length
            if data[_HEADER.size : end].rstrip(b"\0").decode() == name:
                found.append(_NAMES[mask & sum(_NAMES)])
            data = data[end:]
        return found

    def close(self) -> None:
        """Stop watching."""
        os.close(self._descriptor)


@contextmanager
def watching(folder: Path) -> Iterator[Watch]:
    """Watch a folder until the block ends."""
    watch = Watch(folder)
    try:
        yield watch
    finally:
        watch.close()
