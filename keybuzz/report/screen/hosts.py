"""Many hosts in few words. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

MOST = 6
_NUMBERED = re.compile(r"(.*-)(\d+)")


def shown_hosts(names: Iterable[str]) -> str:
    """Return the names, or the first six of many and how many more there are."""
    known = sorted(names)
    shown = ", ".join(known[:MOST])
    return shown if len(known) <= MOST else f"{shown} and {len(known) - MOST} more"


def count(number: int, word: str) -> str:
    """Return how many of a thing there are."""
    return f"{number} {word}{'s' * (number != 1)}"


def ranges(names: Iterable[str]) -> str:
    """Return all names, those that are numbered in a row as one: `k8s-worker-01..05`."""
    rows: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        match = _NUMBERED.fullmatch(name)
        rows[match[1] if match else name].append(match[2] if match else "")
    return ", ".join(part for stem, numbers in rows.items() for part in _parts(stem, numbers))


def _parts(stem: str, numbers: list[str]) -> Iterable[str]:
    if numbers == [""]:
        return (stem,)
    known = [int(number) for number in numbers if number]
    if len(known) >= 3 and known == list(range(known[0], known[0] + len(known))):
        return (f"{stem}{numbers[0]}..{numbers[-1]}",)
    return tuple(f"{stem}{number}" for number in numbers)
