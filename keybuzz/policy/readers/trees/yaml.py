"""YAML to nodes: many documents, anchors and merge keys, every value with its line and column.

Texts are taken for what Kubernetes takes them for (YAML 1.1 as go-yaml reads it): `0400` is octal, `no` is a boolean.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from keybuzz.policy.document import Fault
from keybuzz.policy.node import Node, Place

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, ScalarNode
    from yaml.nodes import Node as RawNode

_MOST_NODES = 100_000
"""More than any file that people write; an anchor that repeats itself does not get further."""
_PREFIX = "tag:yaml.org,2002:"
_BREAKS = dict.fromkeys((0x85, 0x2028, 0x2029), " ")
"""Signs that end a line for YAML 1.1, and for no editor and no other reader."""
_RESOLVED = (
    ("bool", r"y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF"),
    ("int", r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan"),
    ("null", r"~|null|Null|NULL|"),
    ("merge", r"<<"),
)


def read_nodes(text: str) -> tuple[tuple[Node, ...], tuple[Fault, ...]]:
    """Return the documents that are not empty with the keys that they repeat, or why there are none."""
    from yaml import MarkedYAMLError, YAMLError, compose_all

    text = text.translate(_BREAKS)
    converter = _Converter(text)
    try:
        roots = [converter.node(raw) for raw in compose_all(text, Loader=_loader()) if raw]
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1)
        return (), (Fault(f"is not YAML: {error.problem}", place),)
    except (YAMLError, RecursionError, ValueError, OverflowError) as error:
        return (), (Fault(f"is not YAML that can be read ({type(error).__name__})", Place(1)),)
    return tuple(root for root in roots if root.tag != "null"), tuple(converter.repeated)


@cache
def _loader() -> Any:  # a class of a library without types
    from yaml._yaml import CParser
    from yaml.resolver import BaseResolver

    class Loader(CParser, BaseResolver):
        """libyaml's parser with go-yaml's idea of what a plain text is."""

        def __init__(self, stream: str) -> None:
            CParser.__init__(self, stream)
            BaseResolver.__init__(self)

    for name, pattern in _RESOLVED:
        Loader.add_implicit_resolver(f"{_PREFIX}{name}", re.compile(f"(?:{pattern})\\Z"), None)
    return Loader


class _Converter:
    """Turns the library's nodes into ours, and counts them."""

    def __init__(self, text: str) -> None:
        self.repeated: list[Fault] = []
        self._count = 0
        self._lines = text.split("\n")

    def node(self, raw: RawNode) -> Node:
        from yaml.nodes import MappingNode, ScalarNode

        self._count += 1
        if self._count > _MOST_NODES:
            raise ValueError("too many nodes")
        place = Place(raw.start_mark.line + 1, raw.start_mark.column + 1)
        if isinstance(raw, ScalarNode):
            return self._scalar(raw, place)
        if isinstance(raw, MappingNode):
            return Node(place, entries=self._entries(raw))
        return Node(place, items=tuple(self.node(item) for item in raw.value), is_list=True)

    def _entries(self, raw: MappingNode) -> tuple[tuple[str, Node], ...]:
        entries: dict[str, Node] = {}
        merged: list[tuple[str, Node]] = []
        for key, value in raw.value:
            place = Place(key.start_mark.line + 1, key.start_mark.column + 1)
            node = replace(self.node(value), key=place)
            name = str(key.value)
            if name == "<<":
                merged += [entry for part in (node, *node.items) for entry in part.entries]
                continue
            if name in entries:
                self.repeated.append(Fault(f"has the key {name} twice in one mapping", place))
            entries[name] = node
        return tuple({**dict(merged), **entries}.items())

    def _scalar(self, raw: ScalarNode, place: Place) -> Node:
        if raw.style in ("|", ">"):
            # The text begins below the sign, as far in as its first line.
            number = place.line
            while number < len(self._lines) and not self._lines[number].strip():
                number += 1
            below = self._lines[number] if number < len(self._lines) else ""
            place = Place(place.line + 1, len(below) - len(below.lstrip()) + 1)
        elif raw.style in ("'", '"'):
            place = Place(place.line, place.column + 1)
        tag = str(raw.tag)
        return Node(place, text=str(raw.value), tag=tag.removeprefix(_PREFIX))
