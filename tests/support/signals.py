"""A signal to the tests' own process."""

from __future__ import annotations

import signal
import threading


def to_main(number: int) -> None:
    """Send a signal to the main thread, where its handler runs before this returns when it is the caller.

    What is sent to the process may be taken by any of its threads, and is handled some time later: under load in the
    next test, or in pytest itself.
    """
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, number)
