"""YAML as texts with line numbers: the same strictness for every file of the site.

Values stay the words that stand in the file (`yes` is not a boolean, `10.20` not a number); the
reader of a field decides. Anchors and duplicate keys are refused: they hide what a file says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keybuzz.model.core.errors import InputError
from keybuzz.site.files.problems import Problems, nearest, shown

if TYPE_CHECKING:
    from ruamel.yaml.events import Event


@dataclass(frozen=True, slots=True)
class Scalar:
    """One word or text, and its line (1 = first)."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A sequence, and the line where it begins."""

    items: tuple[Tree, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping in the order of the file, and the line where it begins."""

    entries: tuple[tuple[Scalar, Tree], ...]
    line: int


Tree = Scalar | Listing | Fields


def parse_yaml(content: bytes, source: str) -> Tree:
    """Return the one document of the file; InputError with file:line when it is not plain YAML."""
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    problems = Problems(source)
    tree: Tree = Scalar("", 1)
    try:
        tree = _Builder(problems, _events(content.decode("utf-8"))).document()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.add(line, "is not UTF-8", "save the file as UTF-8")
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        last = content.count(b"\n") + 1  # the parser counts on at the end of an unfinished file
        problems.add(min(line, last), f"is not YAML: {error.problem}", "mend the syntax")
    except (YAMLError, RecursionError, ValueError, OverflowError) as error:
        problems.add(1, f"is not YAML ({type(error).__name__})", "mend the syntax")
    problems.raise_if_any()
    return tree


def _events(text: str) -> Iterator[Event]:
    """Return what the parser meets. The one in C takes a thirtieth of the time; not every machine has it."""
    try:
        from ruamel.yaml.cyaml import (  # type: ignore[attr-defined]  # it has no list of what it exports
            CParser,
        )
    except ImportError:
        from ruamel.yaml import YAML

        return iter(YAML(typ="rt", pure=True).parse(text))
    return iter(CParser(text).get_event, None)


class _Builder:
    """Turns events into our tree."""

    def __init__(self, problems: Problems, events: Iterator[Event]) -> None:
        from ruamel.yaml import events as kinds

        self._problems = problems
        self._events = events
        self._kinds = kinds

    def document(self) -> Tree:
        """Return the only document."""
        tree: Tree | None = None
        for event in self._events:
            if not isinstance(event, self._kinds.DocumentStartEvent):
                continue
            line = event.start_mark.line + 1
            if tree is not None:
                self._problems.add(line, "is a second document", "keep one document in the file")
                break
            tree = self._tree(next(self._events))
        if tree is None:
            self._problems.add(1, "the file is empty", "take the one that is in git")
        return tree or Scalar("", 1)

    def _tree(self, event: Event) -> Tree:
        kinds = self._kinds
        line: int = event.start_mark.line + 1
        if isinstance(event, kinds.ScalarEvent):
            return Scalar(event.value, line)
        if isinstance(event, kinds.SequenceStartEvent):
            return Listing(tuple(self._tree(e) for e in self._until(kinds.SequenceEndEvent)), line)
        if isinstance(event, kinds.MappingStartEvent):
            entries = self._until(kinds.MappingEndEvent)
            return Fields(
                tuple((self._key(e), self._tree(next(self._events))) for e in entries), line
            )
        self._problems.add(line, "a YAML anchor is used twice", "write the value out")
        return Scalar("", line)

    def _until(self, end: type[Event]) -> Iterator[Event]:
        """Yield the events that begin the members of a collection."""
        for event in self._events:
            if isinstance(event, end):
                return
            yield event

    def _key(self, event: Event) -> Scalar:
        key = self._tree(event)
        if isinstance(key, Scalar):
            return key
        self._problems.add(key.line, "a key is not a plain word", "use a plain word")
        return Scalar("", key.line)


class TreeReader:
    """Reads expected shapes out of a tree; notes what is wrong in `problems` and goes on."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def text(self, tree: Tree, name: str) -> str:
        """Return a text that is not empty, or "" after noting the problem."""
        if isinstance(tree, Scalar) and tree.text.strip():
            return tree.text
        self.problems.add(tree.line, f"{name} must be a text", "write one value after the colon")
        return ""

    def number(self, tree: Tree, name: str, low: int, high: int) -> int:
        """Return a whole number in low..high, or `low` after noting the problem."""
        text = self.text(tree, name)
        if text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high:
            return int(text)
        if text:
            what = f"{name} is {shown(text)}"
            self.problems.add(tree.line, what, f"write a whole number from {low} to {high}")
        return low

    def items(self, tree: Tree, name: str) -> tuple[Tree, ...]:
        """Return the items of a sequence, or () after noting the problem."""
        if isinstance(tree, Listing):
            return tree.items
        self.problems.add(tree.line, f"{name} must be a list", "write it as [one, two]")
        return ()

    def texts(self, tree: Tree, name: str) -> tuple[str, ...]:
        """Return a sequence of texts."""
        return tuple(self.text(item, name) for item in self.items(tree, name))

    def entries(self, tree: Tree, name: str) -> tuple[tuple[Scalar, Tree], ...]:
        """Return the entries of a mapping with distinct keys, or () after noting the problem."""
        if not isinstance(tree, Fields):
            self.problems.add(
                tree.line, f"{name} must be a mapping", "write it as key: value lines"
            )
            return ()
        first: dict[str, Scalar] = {}
        for key, _ in tree.entries:
            known = first.setdefault(key.text, key)
            if known is not key:
                what = f"{name} has {shown(key.text)} twice (first on line {known.line})"
                self.problems.add(key.line, what, "keep one of the two")
        return tree.entries

    def fields(
        self, tree: Tree, name: str, required: tuple[str, ...], optional: tuple[str, ...] = ()
    ) -> dict[str, Tree]:
        """Return a mapping that has all required keys and none but those and the optional ones.

        After any problem with the keys the result is empty, and the problems are noted.
        """
        entries = self.entries(tree, name)
        known = {key.text: value for key, value in entries}
        sound = isinstance(tree, Fields)
        for key, _ in entries:
            if key.text not in required + optional:
                what = f"{name} has the unknown key {shown(key.text)}"
                self.problems.add(key.line, what, nearest(key.text, required + optional))
                sound = False
        for wanted in required if isinstance(tree, Fields) else ():
            if wanted not in known:
                self.problems.add(tree.line, f"{name} has no {wanted}", f"add {wanted}: …")
                sound = False
        return known if sound else {}


def parse_fields(content: bytes, source: str) -> Fields:
    """Return the file's top mapping; InputError when it is something else."""
    tree = parse_yaml(content, source)
    if isinstance(tree, Fields):
        return tree
    raise InputError(
        "must be a mapping", where=f"{source}:{tree.line}", hint="write it as key: value lines"
    )
