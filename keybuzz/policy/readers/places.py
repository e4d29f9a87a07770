"""Where in a text something is, however long its lines are and however often it is asked."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from keybuzz.policy.node import Place


class Places:
    """The lines of a text."""

    def __init__(self, text: str) -> None:
        lengths = (len(line) + 1 for line in text.split("\n"))
        self._starts = [0, *accumulate(lengths)][:-1]

    def at(self, offset: int) -> Place:
        """Return line and column of a character."""
        line = bisect_right(self._starts, offset)
        return Place(line, offset - self._starts[line - 1] + 1)

    def start(self, offset: int) -> int:
        """Return where the line of a character begins."""
        return self._starts[bisect_right(self._starts, offset) - 1]
