"""How a verb ends from outside: TERM and HUP as Ctrl-C does, and no core dump, which would hold secrets."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def no_core_dumps() -> None:
    """Let neither this process nor what it starts write its memory to a disk when it crashes."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def end_alike() -> None:
    """Let TERM and HUP raise KeyboardInterrupt, as INT does; what was ignored from the start (nohup) stays ignored."""
    for number in heard():
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def heard() -> tuple[signal.Signals, ...]:
    """Return the signals that end a verb, but for those that whoever started it has it ignore."""
    return tuple(n for n in _ENDING if signal.getsignal(n) is not signal.SIG_IGN)


@contextmanager
def first_one_stops(stop: Event, say: Callable[[str], object]) -> Iterator[None]:
    """The first signal lets the steps at work end and stops there; a second Ctrl-C or TERM cuts the connections.

    A terminal that is closed sends HUP more than once, so that HUP cuts nothing.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            if number == signal.SIGHUP:
                return
            raise KeyboardInterrupt
        stop.set()
        say("stopping after the steps at work; Ctrl-C again cuts them off")

    before = {number: signal.signal(number, handle) for number in heard()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
