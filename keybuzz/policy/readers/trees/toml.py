"""TOML to a node with the place of every value; the standard library's parser tells no places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keybuzz.policy.document import Fault
from keybuzz.policy.node import Node, Place
from keybuzz.policy.readers.code.syntax import Source

if TYPE_CHECKING:
    from tree_sitter import Node as SyntaxNode

_TAGS = {"integer": "int", "float": "float", "boolean": "bool"}
_TABLES = ("table", "table_array_element")
_KEYS = ("bare_key", "quoted_key", "dotted_key")


def read_toml(text: str) -> tuple[tuple[Node, ...], tuple[Fault, ...]]:
    """Return the one tree of a file; a part that is no TOML is a fault, and the rest is read all the same."""
    source = Source("toml", text)
    entries: list[tuple[str, Node]] = []
    for child in source.root.named_children:
        if child.type == "pair":
            entries += _pair(source, child)
        elif child.type in _TABLES:
            names = _names(source, child.named_children[0]) if child.named_children else ()
            pairs = [entry for pair in child.named_children for entry in _pair(source, pair)]
            entries += _nested(names, Node(source.place(child), entries=tuple(pairs)))
    bad = next(source.walk("ERROR"), None) if source.root.has_error else None
    faults = () if bad is None else (Fault("is not TOML", source.place(bad)),)
    return (Node(Place(1), entries=tuple(entries)),), faults


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
