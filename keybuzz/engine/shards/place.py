"""A worker as the controller sees it, whatever is between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Worker(Protocol):
    """A worker that has been started: it takes one line, and says lines until it ends."""

    def send(self, line: bytes) -> None:
        """Give it its Spec."""

    def lines(self, longest: int) -> Iterator[bytes]:
        """Yield what it says; ReplyError for a line that is longer than so many bytes."""

    def ending(self) -> str:
        """Return how it ended, such as "was killed by signal 9"; only after its last line."""

    def stop(self) -> None:
        """End it, and all that it is doing. From any thread, and more than once."""

    def close(self) -> None:
        """Stop it, and let go of what it was reached by. Only where its lines are read."""


class Place(Protocol):
    """Where workers are started."""

    @property
    def called(self) -> str:
        """The words for it in messages."""

    def start(self) -> Worker:
        """Start one more worker; ContactError when the place cannot be reached."""

    def close(self) -> None:
        """Let go of what all its workers shared."""


@dataclass(frozen=True, slots=True)
class Controller:
    """What the controller's side of a site needs to start workers and to hold them against."""

    command: tuple[str, ...]
    """Starts a worker on this machine."""
    site: Mapping[str, str]
    """Digests of the site's parts."""
    key_filename: Path
    """Logs in to relays."""
    known_hosts: Path
    """Pins them."""
