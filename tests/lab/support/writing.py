"""An application that writes through an official endpoint, all the time, while something else happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from tests.lab.conftest import until
from tests.lab.support.endpoints import CLIENT_ERRORS, Applications, Endpoint


@dataclass
class Written:
    """What a service acknowledged to one application, and when."""

    numbers: set[int] = field(default_factory=set)
    at: list[float] = field(default_factory=list)
    """The beginning, each acknowledgement, and the end."""

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def served(self) -> float:
        """Return the share of the time in which it was served at its usual pace, whatever that is on this machine."""
        usual = median(after - before for before, after in pairwise(self.at[:-1]))
        return len(self) * usual / (self.at[-1] - self.at[0])


@contextmanager
def writing(applications: Applications, endpoint: Endpoint) -> Iterator[Written]:
    """Write numbers during the block; at its end every acknowledged one must be there. Yields what was acknowledged."""
    written = Written()
    acknowledged = written.numbers
    broken: list[BaseException] = []
    first = max(applications.numbers(endpoint), default=0) + 1
    stop = threading.Event()

    def work() -> None:
        number = first
        written.at.append(time.monotonic())
        try:
            while not stop.wait(0.05):
                applications.put(endpoint, number)
                acknowledged.add(number)
                written.at.append(time.monotonic())
                number += 1
        except BaseException as error:  # told in the test's own thread
            broken.append(error)

    thread = threading.Thread(target=work, name=f"writing to {endpoint.name}")
    thread.start()
    try:
        until(lambda: bool(acknowledged or broken), 90, f"{endpoint.name} takes writes")
        yield written
    finally:
        stop.set()
        thread.join(90)
        written.at.append(time.monotonic())
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
