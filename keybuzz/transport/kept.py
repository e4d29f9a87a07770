"""What is kept of a command's output: the beginning of each stream, and how much more there was."""

from __future__ import annotations

from keybuzz.agent.runtime.frames import PREFIXES

KEPT = 16 * 1024 * 1024
"""Bytes of each stream that are kept; what comes after them is counted and dropped."""
_ALL_KEPT = 64 * 1024 * 1024
"""Bytes that are kept of all hosts of one command together, so that the controller's memory is bounded."""


def share(hosts: int) -> int:
    """Return how many bytes of each stream are kept when so many hosts are asked at once."""
    return min(KEPT, _ALL_KEPT // (len(PREFIXES) * max(1, hosts)))


class Output:
    """Both streams of a command, each up to `most` bytes, whatever a host sends."""

    def __init__(self, most: int = KEPT) -> None:
        self.left_out = 0
        """Bytes that came and were not kept."""
        self._most = most
        self._kept = {name: bytearray() for name in PREFIXES}

    def take(self, name: str, data: bytes) -> None:
        """Keep what there is room for."""
        kept = self._kept[name]
        room = max(0, self._most - len(kept))
        kept += data[:room]
        self.left_out += max(0, len(data) - room)

    def text(self, name: str) -> str:
        """Return a stream as text; bytes that are not UTF-8 are replaced. It is returned once, and then dropped."""
        kept, self._kept[name] = self._kept[name], bytearray()
        return kept.decode(errors="replace")
