"""The end of the agent: what must be undone or killed when contact with the controller is lost.

There is one list for the whole process, because a process ends once.
"""

from __future__ import annotations

import os
from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn, TypeVar

    T = TypeVar("T")

_LOCK_WAIT = 2.0
"""Seconds for a child that is just being started to become known before the agent ends."""


class Cleanups:
    """Things to undo, last first, when the agent ends in the middle of a request."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._undo: dict[int, Callable[[], object]] = {}
        self._last = 0

    def begin(self, start: Callable[[], T], undo: Callable[[T], object]) -> tuple[T, int]:
        """Run `start`; from then until `forget(ticket)`, an ending agent undoes its result.

        There is no moment in which the thing exists and the agent could end without undoing it.
        """
        with self._lock:
            value = start()
            self._last += 1
            self._undo[self._last] = lambda: undo(value)
            return value, self._last

    def forget(self, ticket: int) -> None:
        """The thing is complete, or already undone. Blocks for ever once the agent is ending."""
        with self._lock:
            self._undo.pop(ticket, None)

    def run(self) -> None:
        """Undo everything. The lock is kept, so that the main thread cannot start a next step."""
        self._lock.acquire(timeout=_LOCK_WAIT)
        for ticket in sorted(self._undo, reverse=True):
            try:
                self._undo[ticket]()
            except Exception as error:
                os.write(2, f"clean-up failed: {type(error).__name__}: {error}\n".encode())


CLEANUPS = Cleanups()


def leave_no_core() -> None:
    """Let neither the agent nor what it starts leave its memory on the disk when it crashes: secrets are in it.

    The kernel's own switch comes first, because a minimal Python has no `resource`.
    """
    try:
        with open("/proc/self/coredump_filter", "w", encoding="ascii") as file:
            file.write("0")
    except OSError:
        pass  # a kernel without core dumps
    try:
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, most))
    except (ImportError, OSError, ValueError):
        pass


def end(code: int = 0) -> NoReturn:
    """Undo what is registered, kill running children, and end this process at once."""
    CLEANUPS.run()
    os._exit(code)
