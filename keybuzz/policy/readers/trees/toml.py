"""TOML to a node with the place of every value; the standard library's parser tells no places."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from keybuzz.policy.document import Fault
from keybuzz.policy.node import Node, Place
from keybuzz.policy.readers.code.syntax import Source

if TYPE_CHECKING:
    from tree_sitter import Node as SyntaxNode

_TAGS = {"integer": "int", "float": "float", "boolean": "bool"}
_TABLES = ("table", "table_array_element")
_KEYS = ("bare_key", "quoted_key", "dotted_key")


@dataclass(slots=True)
class _Table:
    """A table while the file is read: others may add to it, in whatever order they are."""

    place: Place
    entries: dict[str, _Table | list[_Table] | Node] = field(default_factory=dict)

    def at(self, names: tuple[str, ...], place: Place) -> _Table:
        """Return the table below these names; of a list of tables the last one."""
        found = self
        for name in names:
            below = found.entries.get(name)
            if isinstance(below, list):
                below = below[-1]
            if not isinstance(below, _Table):
                below = found.entries[name] = _Table(place)
            found = below
        return found

    def add(self, names: tuple[str, ...], place: Place) -> _Table:
        """Return a new table at the end of the list below these names."""
        above = self.at(names[:-1], place)
        listed = above.entries.get(names[-1])
        if not isinstance(listed, list):
            listed = above.entries[names[-1]] = []
        listed.append(_Table(place))
        return listed[-1]

    def node(self) -> Node:
        """Return the table as it is at the end of the file."""
        return Node(self.place, entries=tuple((k, _node_of(v)) for k, v in self.entries.items()))


def _node_of(value: _Table | list[_Table] | Node) -> Node:
    if isinstance(value, list):
        return Node(value[0].place, items=tuple(item.node() for item in value), is_list=True)
    return value.node() if isinstance(value, _Table) else value


def read_toml(text: str) -> tuple[tuple[Node, ...], tuple[Fault, ...]]:
    """Return the one tree of a file; a part that is no TOML is a fault, and the rest is read all the same."""
    source = Source("toml", text)
    root = _Table(Place(1))
    for child in source.root.named_children:
        if child.type == "pair":
            _put(source, root, child)
        elif child.type in _TABLES and child.named_children:
            names = _names(source, child.named_children[0])
            place = source.place(child)
            is_listed = child.type == "table_array_element" and names
            table = root.add(names, place) if is_listed else root.at(names, place)
            if not any(isinstance(value, Node) for value in table.entries.values()):
                table.place = place
            for pair in child.named_children:
                _put(source, table, pair)
    bad = next(source.walk("ERROR"), None) if source.root.has_error else None
    faults = () if bad is None else (Fault("is not TOML", source.place(bad)),)
    return (root.node(),), faults


def _put(source: Source, table: _Table, pair: SyntaxNode) -> None:
    """Put a pair into a table; `a.b = 1` is in the table `a` below it."""
    for name, node in _pair(source, pair):
        table.entries[name] = node


def _nested(names: tuple[str, ...], node: Node) -> list[tuple[str, Node]]:
    if not names:
        return list(node.entries)
    for name in reversed(names[1:]):
        node = Node(node.place, entries=((name, node),))
    return [(names[0], node)]


def _names(source: Source, key: SyntaxNode) -> tuple[str, ...]:
    if key.type == "dotted_key":
        return tuple(name for part in key.named_children for name in _names(source, part))
    return (source.text(key).strip("\"'"),) if key.type in _KEYS else ()


def _pair(source: Source, pair: SyntaxNode) -> list[tuple[str, Node]]:
    if pair.type != "pair" or pair.named_child_count < 2:
        return []
    key, value = pair.named_children[0], pair.named_children[-1]
    node = _node(source, value)
    return _nested(_names(source, key), node) if node is not None else []


def _node(source: Source, raw: SyntaxNode) -> Node | None:
    place, text = source.place(raw), source.text(raw)
    if raw.type == "inline_table":
        entries = [entry for pair in raw.named_children for entry in _pair(source, pair)]
        return Node(place, entries=tuple(entries))
    if raw.type == "array":
        items = [_node(source, item) for item in raw.named_children]
        return Node(place, items=tuple(item for item in items if item is not None), is_list=True)
    if raw.type == "string":
        quotes = 3 if text[:3] in ('"""', "'''") and len(text) >= 6 else 1
        return Node(source.place(raw, quotes), text=text[quotes:-quotes])
    return Node(place, text=text, tag=_TAGS.get(raw.type, "str")) if raw.type != "comment" else None
