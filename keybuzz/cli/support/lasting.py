"""Standard streams that outlive whoever reads them: a closed pipe, a full disk or a lost terminal stops no verb.

What cannot be written is dropped, and remembered: the verb goes on, and its exit code says no more than it found.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import Any

_LOOK_UP = 0.5
"""Seconds after which a signal is noticed at the latest that another thread got."""


class LastingFile(io.FileIO):
    """A descriptor that takes everything, also after it could not be written to; `lost` says why not."""

    lost: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write, or drop what cannot be written. Returns what was taken, which is all of it in the latter case."""
        while self.lost is None:
            try:
                written = super().write(data)
            except OSError as error:
                self.lost = error
            else:
                if written is not None:
                    return written
                # It does not block, as some terminals and pipes do not. A signal that another thread got ends no wait.
                select.select([], [self], [], _LOOK_UP)
        return memoryview(data).nbytes


def make_streams_last() -> None:
    """Replace stdout and stderr of this process; descriptors that were closed are opened on nothing.

    A descriptor below 3 that is free would be given to the next file that is opened, and then be written to as stdout.
    """
    closed = _fill_descriptors()
    for number, name in ((1, "stdout"), (2, "stderr")):
        before = getattr(sys, name)
        raw = LastingFile(number, "w", closefd=False)
        if number in closed:
            raw.lost = OSError(errno.EBADF, os.strerror(errno.EBADF))
        stream = io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding=getattr(before, "encoding", None) or "utf-8",
            errors="backslashreplace",
            line_buffering=number == 2 or raw.isatty(),
        )
        setattr(sys, name, stream)


def lost(name: str = "stdout") -> OSError | None:
    """Return why a standard stream can no longer be written to; None while it can."""
    stream = getattr(sys, name)
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.lost if isinstance(raw, LastingFile) else None


def unsaid() -> OSError | None:
    """Return why an answer did not arrive; None also when its reader left by itself, as `| head` does."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    error = lost()
    return None if error is None or error.errno == errno.EPIPE else error


def _fill_descriptors() -> frozenset[int]:
    closed = []
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            closed.append(number)
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this one
    return frozenset(closed)
