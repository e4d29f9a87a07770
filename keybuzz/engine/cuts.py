"""Signals that end a command: which ones it hears, and when one of them may cut off what is at work.

What follows from a command's work, that is its report, its entry in the journal and its hooks, is never cut off by the
next signal: it would be remembered as what it was not.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def heard() -> tuple[signal.Signals, ...]:
    """Return the signals that end a command, without those that were ignored when it was started (nohup)."""
    return tuple(number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN)


class Stop(threading.Event):
    """An event that a signal handler may set, whatever the thread that it interrupts does with the event.

    The lock of a plain one is taken once: `set` in a handler waits for ever for `wait` or `set` of its own thread. A
    `wait` that is interrupted just before it sleeps may sleep for its whole time: it must have one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._cond = threading.Condition(threading.RLock())


class Cuts:
    """Whether a signal may raise KeyboardInterrupt now, for one command. Nothing is cut off twice."""

    def __init__(self) -> None:
        self.end_is_known = False
        """How the command ended is in a report: nothing that comes later changes it."""
        self._allowed = False
        self._waiting = False

    @contextmanager
    def during(self) -> Iterator[None]:
        """Let the handlers that stand decide what a signal does, but raise only where `allow` says so.

        What was not raised by the end of the block is forgotten: the command ends anyway.
        """
        self.end_is_known = self._allowed = self._waiting = False
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        found = {number: signal.getsignal(number) for number in heard()}
        before = {number: handler for number, handler in found.items() if callable(handler)}

        def handle(number: int, frame: FrameType | None) -> None:
            try:
                before[signal.Signals(number)](number, frame)
            except KeyboardInterrupt:
                if self._allowed:
                    self._allowed = False
                    raise
                self._waiting = True

        for number in before:
            signal.signal(number, handle)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def allow(self) -> None:
        """Let the next signal cut off what is at work; one that has come meanwhile does it now."""
        self._allowed = True
        if self._waiting:
            self._allowed = self._waiting = False
            raise KeyboardInterrupt

    def allow_from_now(self) -> None:
        """Let the next signal cut off what is at work; forget the ones that have come."""
        self._waiting = False
        self._allowed = True

    def forbid(self) -> None:
        """Let no signal cut off what follows."""
        self._allowed = False
