"""What all connections share is made once, though they all ask for it in the same moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from keybuzz.transport.shared import shared


def test_threads_that_come_at_once_get_the_one_value() -> None:
    ready = threading.Barrier(8)
    made: list[str] = []

    @shared
    def make(name: str) -> list[str]:
        made.append(name)
        return [name]

    def ask(number: int) -> list[str]:
        ready.wait(10)
        return make("a" if number % 2 else "b")

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert sorted(made) == ["a", "b"]
    assert len({id(value) for value in found}) == 2


def test_a_failure_is_not_remembered() -> None:
    tries: list[int] = []

    @shared
    def make() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("not yet")
        return 7

    with pytest.raises(OSError, match="not yet"):
        make()
    assert (make(), make(), len(tries)) == (7, 7, 2)
