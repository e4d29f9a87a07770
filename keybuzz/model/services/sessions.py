"""Sessions that a database has taken, against the most that it takes: when none is left, applications are refused."""

from __future__ import annotations

from dataclasses import dataclass

from keybuzz.model.core.finding import Level

_WARN, _CRITICAL = 80, 95
"""Percent of the limit."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Of one server at one moment."""

    taken: int
    limit: int
    """That others than administrators may take."""

    @property
    def level(self) -> Level:
        """Return how near the limit is."""
        if 100 * self.taken >= _CRITICAL * self.limit:
            return Level.CRITICAL
        return Level.WARN if 100 * self.taken >= _WARN * self.limit else Level.OK

    def __str__(self) -> str:
        return f"{self.taken} of {self.limit} sessions are taken"
