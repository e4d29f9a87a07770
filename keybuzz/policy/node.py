"""A value of a file that is a tree, with the place of every part: YAML, JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_OCTAL = re.compile(r"[-+]?0o?[0-7]+")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Line and column, both counted from 1."""

    line: int
    column: int = 1

    @property
    def scope(self) -> int:
        """A number that only what begins at this place has."""
        return (self.line << 16) + self.column


START = Place(1)
"""Where a file begins."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A text of a tree, with the keys that lead to it."""

    path: tuple[str, ...]
    node: Node
    scope: int
    """Which mapping or list it is in: texts of one scope belong together."""


@dataclass(frozen=True, slots=True)
class Node:
    """A text, a list or a mapping."""

    place: Place
    text: str | None = None
    items: tuple[Node, ...] = ()
    entries: tuple[tuple[str, Node], ...] = ()
    is_list: bool = False
    key: Place | None = None
    """Where its key is, when it is a value of a mapping."""
    tag: str = "str"
    """What the format takes a text for: str, int, float, bool, null, or the name of a tag of its own."""

    def get(self, *keys: str) -> Node | None:
        """Return the value under these keys, one below the other, or None."""
        found: Node | None = self
        for key in keys:
            found = dict(found.entries).get(key) if found is not None else None
        return found

    def word(self, *keys: str) -> str:
        """Return the text under these keys, or ""."""
        found = self.get(*keys)
        return found.text or "" if found is not None else ""

    def all(self, *keys: str) -> tuple[Node, ...]:
        """Return the items of the list under these keys, or ()."""
        found = self.get(*keys)
        return found.items if found is not None else ()

    def plain(self) -> object:
        """Return the value as JSON has it, which is what a schema judges."""
        if self.text is None:
            if self.entries or not self.is_list:
                return {key: value.plain() for key, value in self.entries}
            return [item.plain() for item in self.items]
        if self.tag == "null":
            return None
        if self.tag == "bool":
            return self.text.lower() in ("true", "yes", "on", "y")
        return self._number() if self.tag in ("int", "float") else self.text

    def _number(self) -> object:
        text = (self.text or "").replace("_", "")
        try:
            if self.tag == "float":
                return float(text)
            return int(text.replace("o", ""), 8) if _OCTAL.fullmatch(text) else int(text, 0)
        except ValueError:
            return self.text

    def walk(self) -> Iterator[tuple[tuple[str, ...], Node]]:
        """Yield every text below, with the keys that lead to it; an item of a list adds no key."""
        for leaf in self.leaves():
            yield leaf.path, leaf.node

    def leaves(self) -> Iterator[Leaf]:
        """Yield every text below, in the order of the file."""
        waiting: list[Leaf] = [Leaf((), self, self.place.scope)]
        while waiting:
            leaf = waiting.pop()
            node = leaf.node
            if node.text is not None:
                yield leaf
            below = [Leaf(leaf.path, item, node.place.scope) for item in node.items]
            below += [
                Leaf((*leaf.path, key), value, node.place.scope) for key, value in node.entries
            ]
            waiting += reversed(below)

    def mappings(self) -> Iterator[tuple[tuple[str, ...], Node]]:
        """Yield this node and every mapping below, with the keys that lead to it."""
        waiting: list[tuple[tuple[str, ...], Node]] = [((), self)]
        while waiting:
            path, node = waiting.pop()
            if node.entries:
                yield path, node
            below = [(path, item) for item in node.items]
            below += [((*path, key), value) for key, value in node.entries]
            waiting += reversed(below)
