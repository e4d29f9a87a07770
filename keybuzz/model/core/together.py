"""Which members of a cluster belong together: only those that see each other count as one. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import combinations


def sides(sees: Mapping[str, Collection[str]]) -> tuple[frozenset[str], ...]:
    """Return the members in sets that see each other, the largest first: in health one set, after a split two.

    Args:
        sees: Whom each member that runs sees run, itself among them or not.
    """
    left = set(sees)
    found: list[frozenset[str]] = []
    while left:
        side = _largest({name: sees[name] for name in left})
        found.append(side)
        left -= side
    return tuple(found)


def largest(sees: Mapping[str, Collection[str]]) -> frozenset[str]:
    """Return the largest set of members that see each other; empty without members."""
    return next(iter(sides(sees)), frozenset())


def _largest(sees: Mapping[str, Collection[str]]) -> frozenset[str]:
    names = sorted(sees)
    for size in range(len(names), 1, -1):
        for chosen in combinations(names, size):
            if all(b in sees[a] and a in sees[b] for a, b in combinations(chosen, 2)):
                return frozenset(chosen)
    return frozenset(names[:1])
