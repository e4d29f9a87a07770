"""Hosts that are out of service for planned work: until when, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from keybuzz.model.core.visible import in_one_line


@dataclass(frozen=True, slots=True)
class Maintenance:
    """One host, as `kbz maintenance on` wrote it."""

    host: str
    reason: str
    since: datetime
    until: datetime
    """The moment at which it ends by itself; what is wrong with the host counts again then."""
    line: int = 0
    """Of policies.yaml; 0 when it is not written yet."""

    def __post_init__(self) -> None:
        in_one_line(self, "reason")

    def counts(self, now: datetime) -> bool:
        """Return whether the host is in maintenance at a moment."""
        return now < self.until

    @property
    def words(self) -> str:
        """What is shown of it wherever the host is."""
        return f"in maintenance until {moment(self.until)}: {self.reason}"


def moment(time: datetime) -> str:
    """Return a moment as it is shown, and taken by `--until`."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def resting(entries: Iterable[Maintenance], seconds: float) -> dict[str, Maintenance]:
    """Return the hosts in maintenance at a moment, given in seconds since the epoch."""
    now = datetime.fromtimestamp(seconds, UTC)
    return {entry.host: entry for entry in entries if entry.counts(now)}


def over(entries: Iterable[Maintenance], seconds: float) -> tuple[Maintenance, ...]:
    """Return the entries whose end has passed, and that are still there."""
    now = datetime.fromtimestamp(seconds, UTC)
    return tuple(entry for entry in entries if not entry.counts(now))
