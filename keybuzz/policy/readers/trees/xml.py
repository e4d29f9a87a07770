"""XML: attributes and texts as settings; what declares entities is not read any further."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.parsers import expat

from keybuzz.policy.document import Document, Kind, Setting
from keybuzz.policy.node import Place
from keybuzz.policy.readers.named import images_of
from keybuzz.policy.readers.text import read_unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = ("name", "key", "id")
"""Attributes that name the value of their element: `<add key="…" value="…"/>`."""
_NAMING = frozenset({*_NAMES, "class", "encoding", "type", "version"})
_DEEPEST = 200
_LONGEST_TAG = 10_000
"""Bytes: where an attribute is further away, its tag is named."""


class _EntityError(Exception):
    """The file declares an entity, which could stand for any length of text, or for another file."""


@dataclass(frozen=True, slots=True)
class _Element:
    """An element that is open."""

    name: str
    line: int


def read_xml(path: str, text: str) -> Document:
    """Return the settings of a file; one that is broken, or declares entities, is only searched."""
    reader = _Reader(text)
    try:
        reader.parse()
    except (expat.ExpatError, _EntityError, RecursionError) as error:
        why = "declares entities" if isinstance(error, _EntityError) else "is no XML to read"
        return read_unknown(path, text, f"{why}: only searched for addresses and secrets")
    settings = tuple(reader.settings)
    return Document(path, Kind.XML, text, settings, images=images_of(settings))


class _Reader:
    """Follows the elements of one file."""

    def __init__(self, text: str) -> None:
        self.settings: list[Setting] = []
        self._bytes = text.encode("utf-8", errors="replace")
        self._starts = [0]
        for line in self._bytes.split(b"\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._starts.pop()
        self._open: list[_Element] = []
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._said
        self._parser.EntityDeclHandler = self._declared

    def parse(self) -> None:
        """Read the whole file."""
        self._parser.Parse(self._bytes, True)

    def _declared(self, *_: object) -> None:
        raise _EntityError

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        line = self._parser.CurrentLineNumber
        own = next((attributes[key] for key in _NAMES if key in attributes), name)
        if len(self._open) < _DEEPEST:
            self._open.append(_Element(own, line))
        else:
            raise expat.ExpatError("nested too deeply")
        start = self._parser.CurrentByteIndex
        for key, value in attributes.items():
            if key in _NAMING or key.startswith("xmlns") or ":" in key or not value:
                continue
            sought = value.encode("utf-8", errors="replace")
            found = self._bytes.find(sought, start, start + _LONGEST_TAG)
            names = (own,) if key in ("value", "default") else (own, key)
            self._add(names, value, self._place(found if found >= 0 else start), line)

    def _end(self, name: str) -> None:
        del name, self._open[-1:]

    def _said(self, text: str) -> None:
        bare = text.strip()  # a part of one line: the parser hands texts over as it meets them
        if bare and self._open:
            start = self._place(self._parser.CurrentByteIndex)
            place = Place(start.line, start.column + len(text) - len(text.lstrip()))
            above = self._open[-2].line if len(self._open) > 1 else 0
            self._add((self._open[-1].name,), bare, place, above)

    def _add(self, names: tuple[str, ...], value: str, place: Place, scope: int) -> None:
        above = tuple(element.name for element in self._open[-4:-1])
        self.settings.append(Setting((*above, *names), value, place, scope))

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._starts, offset)
        before = self._bytes[max(self._starts[line - 1], offset - _LONGEST_TAG) : offset]
        return Place(line, len(before.decode("utf-8", errors="replace")) + 1)
