"""The ledger of a drill: a thread that writes numbers one after the other, and what became of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from keybuzz.model.core.errors import KbzError
from keybuzz.model.reports.drill import Tally, longest_gap, tally
from keybuzz.site.drill import Client, NotSentError, UnconfirmedError

T = TypeVar("T")

PAUSE = 0.05
"""Seconds between two writes."""
STEADY = 3.0
"""Seconds without a hole after which the writes count as flowing again."""
_HOLE = 1.5
"""Seconds: a longer wait for a confirmation is an outage, and no slow moment."""
_READ_PATIENCE = 60.0


@dataclass
class Ledger:
    """What the service said of each number. Written by one thread, read by another."""

    confirmed: dict[int, float] = field(default_factory=dict)
    """Number to the monotonic time of its confirmation."""
    unknown: set[int] = field(default_factory=set)
    last_error: str = ""

    def unsteady(self, now: float) -> str | None:
        """Return why writes do not flow yet, or None when they do."""
        gap = longest_gap(list(self.confirmed.values()), now - STEADY, now)
        if gap <= _HOLE:
            return None
        return f"writes do not flow{f': {self.last_error}' if self.last_error else ''}"

    def gap(self, since: float, until: float) -> float:
        """Return the longest time without a confirmed write, in seconds."""
        return longest_gap(list(self.confirmed.values()), since, until)


class Writer:
    """Writes through a client until it is stopped. A number is tried once: a second try would hide a loss."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self.ledger = Ledger()
        self._client = client
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="workload", daemon=True)

    def start(self) -> None:
        """Make the probe's place, and begin to write; KbzError when the endpoint does not let it."""
        self._client.prepare()
        self._thread.start()

    def stop(self) -> None:
        """End after the write at work; nothing is written afterwards."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def settle(self) -> Tally:
        """Read back what is there and compare; the reader tries for a minute. KbzError when it cannot."""
        found = self._persistently(self._client.read)
        return tally(self.ledger.confirmed, self.ledger.unknown, found)

    def remove(self) -> None:
        """Remove the probe's place and close; KbzError when it stays."""
        try:
            self._persistently(self._client.remove)
        finally:
            self._client.close()

    def _work(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            self._write(number)
            self._stop.wait(PAUSE)

    def _write(self, number: int) -> None:
        try:
            self._client.write(number)
        except NotSentError as error:
            self.ledger.last_error = error.what
        except UnconfirmedError as error:
            self.ledger.unknown.add(number)
            self.ledger.last_error = error.what
        else:
            self.ledger.confirmed[number] = self._clock()

    def _persistently(self, act: Callable[[], T]) -> T:
        deadline = self._clock() + _READ_PATIENCE
        while True:
            try:
                return act()
            except KbzError:
                if self._clock() > deadline:
                    raise
            time.sleep(PAUSE)
