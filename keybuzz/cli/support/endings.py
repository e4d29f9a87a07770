"""How a verb ends from outside: TERM and HUP as Ctrl-C does, and no core dump, which would hold secrets."""

from __future__ import annotations

import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from types import FrameType

from keybuzz.engine.cuts import heard

_STDERR = 2
_ONE_WISH = 1.0
"""Seconds in which signals ask for one cut: what it lets go of is not cut off halfway."""


def no_core_dumps() -> None:
    """Let neither this process nor what it starts write its memory to a disk when it crashes.

    The limit alone does not do it: the kernel hands a core to a program (`core_pattern` with a pipe) whatever it is.
    The filter leaves no memory in such a core, and children inherit it.
    """
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
    with suppress(OSError), Path("/proc/self/coredump_filter").open("w", encoding="ascii") as file:
        file.write("0")


def end_alike() -> None:
    """Let TERM and HUP raise KeyboardInterrupt, as INT does; what was ignored from the start (nohup) stays ignored."""
    for number in heard():
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def tell(sentence: str, descriptor: int = _STDERR) -> None:
    """Tell a sentence out of a signal handler, or drop it where it is not taken at once: this neither waits nor raises.

    The thread that a signal interrupts may be writing to stderr, whose buffer refuses a second write by the same
    thread. So this goes past the buffer. At a terminal the sentence begins below what is painted there.
    """
    with suppress(OSError, ValueError):
        poller = select.poll()
        poller.register(descriptor, select.POLLOUT)
        if any(seen == select.POLLOUT for _, seen in poller.poll(0)):
            before = "\n" if os.isatty(descriptor) else ""
            os.write(descriptor, f"{before}{sentence}\n".encode())


@contextmanager
def first_one_stops(stop: Event, say: Callable[[str], object] = tell) -> Iterator[None]:
    """The first signal lets the steps at work end and stops there; a second Ctrl-C or TERM cuts the connections.

    A terminal that is closed sends HUP more than once, so that HUP cuts nothing. Signals that come together cut once.
    `say` is called by a signal handler: it must not write to a buffered stream.
    """
    asked: list[float] = []
    cut: list[float] = []

    def handle(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        asked.append(now)  # first: another signal may interrupt this
        if len(asked) > 1:
            if number == signal.SIGHUP or (cut and now - cut[-1] < _ONE_WISH):
                return
            cut.append(now)
            raise KeyboardInterrupt
        stop.set()
        say("stopping after the steps at work; Ctrl-C again cuts them off")

    before = {number: signal.signal(number, handle) for number in heard()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
