"""JSON to a node, with comments and trailing commas as editors write them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from keybuzz.policy.document import Fault
from keybuzz.policy.node import Node, Place
from keybuzz.policy.readers.code.syntax import Source

if TYPE_CHECKING:
    from tree_sitter import Node as SyntaxNode

_TAGS = {"true": "bool", "false": "bool", "null": "null"}


def read_json(text: str) -> tuple[tuple[Node, ...], tuple[Fault, ...]]:
    """Return the values of a text; a part that is no JSON is a fault, and the rest is read all the same."""
    source = Source("json", text)
    roots = [
        _node(source, child) for child in source.root.named_children if child.type != "comment"
    ]
    bad = next(source.walk("ERROR"), None) if source.root.has_error else None
    faults = () if bad is None else (Fault("is not JSON", source.place(bad)),)
    return tuple(root for root in roots if root is not None), faults


def _node(source: Source, raw: SyntaxNode, key: Place | None = None) -> Node | None:
    place = source.place(raw)
    if raw.type == "object":
        return Node(place, entries=tuple(_entries(source, raw)), key=key)
    if raw.type == "array":
        items = [_node(source, item) for item in raw.named_children]
        return Node(place, items=tuple(i for i in items if i is not None), is_list=True, key=key)
    text = source.text(raw)
    if raw.type == "string":
        return Node(source.place(raw, 1), text=_string(text), key=key)
    if raw.type == "number":
        return Node(place, text=text, tag="int" if text.lstrip("-").isdigit() else "float", key=key)
    return Node(place, text=text, tag=_TAGS[raw.type], key=key) if raw.type in _TAGS else None


def _entries(source: Source, raw: SyntaxNode) -> list[tuple[str, Node]]:
    found = []
    for pair in raw.named_children:
        key, value = pair.child_by_field_name("key"), pair.child_by_field_name("value")
        if pair.type != "pair" or key is None or value is None:
            continue
        node = _node(source, value, source.place(key))
        if node is not None:
            found.append((_string(source.text(key)), node))
    return found


def _string(text: str) -> str:
    """Return what a literal stands for, as long as that keeps its columns; escapes of quotes and signs do not."""
    try:
        value = json.loads(text)
    except ValueError:
        return text[1:-1]
    return value if isinstance(value, str) else text[1:-1]
