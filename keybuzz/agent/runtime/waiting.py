"""Frames that wait for the agent: a bounded queue of one writer and one reader.

As `queue.Queue`, whose import (with `threading`) costs a host a third of the agent's start.
"""

from __future__ import annotations

from _thread import allocate_lock

Frame = tuple[bytes, bytes]


class WaitingFrames:
    """At most `most` frames, first in, first out."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._frames: list[Frame] = []
        self._turn = allocate_lock()
        self._room = allocate_lock()
        """Held while there is none."""
        self._some = allocate_lock()
        """Held while there is none."""
        self._some.acquire()

    def put(self, frame: Frame, timeout: float) -> bool:
        """Add a frame; False when there was no room for it in time."""
        if not self._room.acquire(timeout=timeout):
            return False
        with self._turn:
            self._frames.append(frame)
            if len(self._frames) < self._most:
                self._room.release()
            if len(self._frames) == 1:
                self._some.release()
        return True

    def take(self) -> Frame:
        """Wait for a frame and return it."""
        self._some.acquire()
        return self._first()

    def take_within(self, seconds: float) -> Frame | None:
        """Wait for a frame no longer than that; None where none came."""
        return self._first() if self._some.acquire(timeout=seconds) else None

    def _first(self) -> Frame:
        with self._turn:
            frame = self._frames.pop(0)
            if self._frames:
                self._some.release()
            if len(self._frames) == self._most - 1:
                self._room.release()
        return frame
