"""The signals that the agent needs, by their numbers on Linux.

The standard library's `signal` makes enumerations of all there are, and that takes longer
than the rest of the agent's start.
"""

from __future__ import annotations

from _signal import (  # type: ignore[import-not-found]  # typeshed has only the module that is built on it
    SIGHUP,
    SIGKILL,
    SIGPIPE,
    SIGTERM,
    SIGXFSZ,
    signal,
)

__all__ = ["SIGHUP", "SIGKILL", "SIGPIPE", "SIGTERM", "SIGXFSZ", "signal"]
