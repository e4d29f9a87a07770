"""HCL (Terraform, Nomad, Packer) to a node: a block is a mapping under its type and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keybuzz.policy.document import Fault
from keybuzz.policy.node import Node, Place
from keybuzz.policy.readers.code.syntax import Source

if TYPE_CHECKING:
    from tree_sitter import Node as SyntaxNode

_TAGS = {"numeric_lit": "int", "bool_lit": "bool", "null_lit": "null"}
_WRAPPERS = ("expression", "literal_value", "collection_value", "template_expr")


def read_hcl(text: str) -> tuple[tuple[Node, ...], tuple[Fault, ...]]:
    """Return the one tree of a file; a part that is no HCL is a fault, and the rest is read all the same."""
    source = Source("hcl", text)
    bodies = [child for child in source.root.named_children if child.type == "body"]
    entries = [entry for body in bodies for entry in _body(source, body)]
    bad = next(source.walk("ERROR"), None) if source.root.has_error else None
    faults = () if bad is None else (Fault("is not HCL", source.place(bad)),)
    return (Node(Place(1), entries=tuple(entries)),), faults


def _body(source: Source, body: SyntaxNode) -> list[tuple[str, Node]]:
    found = []
    for child in body.named_children:
        if child.type == "attribute" and child.named_child_count >= 2:
            node = _node(source, child.named_children[-1])
            if node is not None:
                found.append((source.text(child.named_children[0]), node))
        elif child.type == "block":
            found += _block(source, child)
    return found


def _block(source: Source, block: SyntaxNode) -> list[tuple[str, Node]]:
    names, entries = [], []
    for child in block.named_children:
        if child.type in ("identifier", "string_lit"):
            names.append(source.text(child).strip('"'))
        elif child.type == "body":
            entries = _body(source, child)
    node = Node(source.place(block), entries=tuple(entries))
    for name in reversed(names[1:]):
        node = Node(node.place, entries=((name, node),))
    return [(names[0], node)] if names else []


def _node(source: Source, raw: SyntaxNode) -> Node | None:
    while raw.type in _WRAPPERS and raw.named_child_count == 1:
        raw = raw.named_children[0]
    text = source.text(raw)
    if raw.type in ("string_lit", "quoted_template"):
        return Node(source.place(raw, 1), text=text[1:-1])
    if raw.type == "heredoc_template":
        return Node(Place(source.place(raw).line + 1), text=text.partition("\n")[2])
    if raw.type == "object":
        return Node(source.place(raw), entries=tuple(_elements(source, raw)))
    if raw.type == "tuple":
        items = [_node(source, item) for item in raw.named_children if item.type == "expression"]
        return Node(source.place(raw), items=tuple(i for i in items if i is not None), is_list=True)
    if raw.type in _TAGS:
        return Node(source.place(raw), text=text, tag=_TAGS[raw.type])
    return _inside(source, raw)


def _inside(source: Source, raw: SyntaxNode) -> Node:
    """Return the texts inside of an expression, such as the arguments of a function, as a list."""
    found = [
        Node(source.place(child, 1), text=source.text(child)[1:-1], tag="argument")
        for child in source.below(raw, "string_lit", "quoted_template")
    ]
    return Node(source.place(raw), items=tuple(found), is_list=True)


def _elements(source: Source, raw: SyntaxNode) -> list[tuple[str, Node]]:
    found = []
    for element in raw.named_children:
        key, value = element.child_by_field_name("key"), element.child_by_field_name("val")
        if element.type == "object_elem" and key is not None and value is not None:
            node = _node(source, value)
            if node is not None:
                found.append((source.text(key).strip('"()'), node))
    return found
