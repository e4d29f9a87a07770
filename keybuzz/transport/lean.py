"""Imports that leave out what the imported library can do without, and kbz does not use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(name: str) -> Iterator[None]:
    """Import in this block as if the package `name` were not installed, unless it is loaded already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # Python's own way to say that an import fails
    try:
        yield
    finally:
        del sys.modules[name]
