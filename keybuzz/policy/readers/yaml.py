"""YAML of applications: many documents, anchors and merge keys, every value with its line and column."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from keybuzz.policy.document import Fault, Node, Place

if TYPE_CHECKING:
    from ruamel.yaml.nodes import MappingNode, ScalarNode
    from ruamel.yaml.nodes import Node as RawNode

_MOST_NODES = 100_000
"""More than any file that people write; an anchor that repeats itself does not get further."""


def read_nodes(text: str) -> tuple[tuple[Node, ...], tuple[Fault, ...]]:
    """Return the documents that are not empty, or why there are none."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    converter = _Converter(text)
    try:
        roots = [converter.node(raw) for raw in YAML(typ="rt", pure=True).compose_all(text) if raw]
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1)
        return (), (Fault(f"is not YAML: {error.problem}", place),)
    except (YAMLError, RecursionError, ValueError, OverflowError) as error:
        return (), (Fault(f"is not YAML that can be read ({type(error).__name__})", Place(1)),)
    return tuple(root for root in roots if root.tag != "null"), ()


class _Converter:
    """Turns ruamel's nodes into ours, and counts them."""

    def __init__(self, text: str) -> None:
        self._count = 0
        self._lines = text.split("\n")

    def node(self, raw: RawNode) -> Node:
        from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

        self._count += 1
        if self._count > _MOST_NODES:
            raise ValueError("too many nodes")
        place = Place(raw.start_mark.line + 1, raw.start_mark.column + 1)
        if isinstance(raw, ScalarNode):
            return self._scalar(raw, place)
        if isinstance(raw, SequenceNode):
            return Node(place, items=tuple(self.node(item) for item in raw.value), is_list=True)
        assert isinstance(raw, MappingNode)  # compose knows these three kinds only
        return Node(place, entries=self._entries(raw))

    def _entries(self, raw: MappingNode) -> tuple[tuple[str, Node], ...]:
        entries: dict[str, Node] = {}
        merged: list[tuple[str, Node]] = []
        for key, value in raw.value:
            place = Place(key.start_mark.line + 1, key.start_mark.column + 1)
            node = replace(self.node(value), key=place)
            name = str(key.value)
            if name == "<<":
                merged += [entry for part in (node, *node.items) for entry in part.entries]
            else:
                entries[name] = node
        return tuple({**dict(merged), **entries}.items())

    def _scalar(self, raw: ScalarNode, place: Place) -> Node:
        if raw.style in ("|", ">"):
            # The text begins below the sign, as far in as its first line.
            below = next((line for line in self._lines[place.line :] if line.strip()), "")
            place = Place(place.line + 1, len(below) - len(below.lstrip()) + 1)
        elif raw.style in ("'", '"'):
            place = Place(place.line, place.column + 1)
        return Node(place, text=str(raw.value), tag=str(raw.tag).rpartition(":")[2])
