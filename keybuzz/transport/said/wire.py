"""The debug log of what goes over the wire: each request's host, operation, seconds and bytes, never its content."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from keybuzz.model.core.errors import KbzError

LOG = logging.getLogger("keybuzz.wire")
"""Its records are of level DEBUG. `kbz --debug-log FILE` writes them; a script adds a handler of its own."""


@contextmanager
def timed(where: str, operation: str, exchanged: Callable[[], tuple[int, int]]) -> Iterator[None]:
    """Log how a request to a host ended. `exchanged` returns the bytes sent and received so far."""
    if not LOG.isEnabledFor(logging.DEBUG):
        yield
        return
    started, (sent, received) = time.monotonic(), exchanged()
    end = "ok"
    try:
        yield
    except BaseException as error:
        # The sentence of an error of ours has lost its secrets; of another one only the kind is told.
        end = f"{type(error).__name__}{f': {error.what}' if isinstance(error, KbzError) else ''}"
        raise
    finally:
        out, back = exchanged()
        seconds = time.monotonic() - started
        LOG.debug(
            "%s %s %.3f s, %d B sent, %d B received: %s",
            *(where, operation, seconds, out - sent, back - received, end),
        )
