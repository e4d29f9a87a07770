"""What a drill has broken is mended in any case: no signal of the operator cuts that off."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from keybuzz.engine.cuts import heard


@contextmanager
def stop_on_signals(stop: threading.Event, say: Callable[[str], None]) -> Iterator[None]:
    """During the block every Ctrl-C, TERM and HUP only sets `stop`: the drill restores, and then ends.

    What was ignored when kbz was started (nohup) stays ignored.

    `say` is called by a signal handler: it must not write to a buffered stream.
    """

    def handle(number: int, frame: object) -> None:
        del number, frame
        stop.set()
        say("stopping: what was broken is restored first, and that is not cut off")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handle) for number in heard()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
