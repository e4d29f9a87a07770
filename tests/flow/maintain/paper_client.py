"""The client of a workload that writes on paper: a test says what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from keybuzz.model.reports.drill import Workload
from keybuzz.site.drill import NotSentError


@dataclass
class Book:
    """What was written."""

    loses: int = 0
    """A number that is acknowledged and not kept."""
    closed: str = ""
    """Why nothing can be written; empty when it can."""
    place: str = ""
    numbers: set[int] = field(default_factory=set)
    removed: bool = False

    def prepare(self) -> None:
        if self.closed:
            raise NotSentError(self.closed)

    def write(self, number: int) -> None:
        if number != self.loses:
            self.numbers.add(number)

    def read(self) -> frozenset[int]:
        return frozenset(self.numbers)

    def remove(self) -> None:
        self.removed = True

    def close(self) -> None:
        """Nothing is open."""


BOOK = Book()


def connect(workload: Workload) -> Book:
    """Return the book of the test."""
    BOOK.place = workload.place
    return BOOK
