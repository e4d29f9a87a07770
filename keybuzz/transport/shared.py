"""Remembers what all hosts of a command share: their connections open at once, each in a thread."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from threading import Lock
from typing import TypeVar

Value = TypeVar("Value")


def shared(function: Callable[..., Value]) -> Callable[..., Value]:
    """Return the function with a memory of its last few values: each is made once, while who wants it too waits.

    functools.cache alone would let every thread that comes before the first value make its own.
    """
    remembered = functools.lru_cache(maxsize=8)(function)
    turn = Lock()

    @functools.wraps(function)
    def once(*arguments: Hashable) -> Value:
        with turn:
            return remembered(*arguments)

    return once
