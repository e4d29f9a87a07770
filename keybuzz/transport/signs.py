"""Signs of life on a session that holds a host's lease: a controller without power or network gives none."""

from __future__ import annotations

import time
from threading import Event, Thread

from keybuzz.agent.runtime.frames import life_frame
from keybuzz.transport.stream import Stream, StreamError

_PATIENCE = 3600.0
"""Seconds for one to be written: a host that reads slowly, behind an upload, is no lost one."""


class SignsOfLife:
    """A thread of one session, so that a host that reads nothing delays no other host's signs."""

    def __init__(self, stream: Stream, seconds: float) -> None:
        self._stream = stream
        self._seconds = seconds
        self._ended = Event()
        Thread(target=self._run, name="signs of life", daemon=True).start()

    def end(self) -> None:
        """Give no further one. May be called from any thread."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            try:
                self._stream.write(life_frame(), time.monotonic() + _PATIENCE)
            except StreamError:
                return  # the next request meets the same end, and reports it
