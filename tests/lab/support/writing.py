"""An application that writes through an official endpoint, all the time, while something else happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.conftest import until
from tests.lab.support.endpoints import CLIENT_ERRORS, Applications, Endpoint


@contextmanager
def writing(applications: Applications, endpoint: Endpoint) -> Iterator[set[int]]:
    """Write numbers during the block; at its end every acknowledged one must be there. Yields those acknowledged."""
    acknowledged: set[int] = set()
    broken: list[BaseException] = []
    first = max(applications.numbers(endpoint), default=0) + 1
    stop = threading.Event()

    def work() -> None:
        number = first
        try:
            while not stop.wait(0.05):
                applications.put(endpoint, number)
                acknowledged.add(number)
                number += 1
        except BaseException as error:  # told in the test's own thread
            broken.append(error)

    thread = threading.Thread(target=work, name=f"writing to {endpoint.name}")
    thread.start()
    try:
        until(lambda: bool(acknowledged or broken), 90, f"{endpoint.name} takes writes")
        yield acknowledged
    finally:
        stop.set()
        thread.join(90)
    assert broken == []
    assert not thread.is_alive()
    until(
        lambda: not missing(applications, endpoint, acknowledged),
        60,
        f"all {len(acknowledged)} acknowledged by {endpoint.name}",
    )


def missing(applications: Applications, endpoint: Endpoint, numbers: set[int]) -> set[int]:
    """Return the numbers that are not there; all of them while nobody answers."""
    try:
        return numbers - applications.numbers(endpoint)
    except CLIENT_ERRORS:
        return numbers
