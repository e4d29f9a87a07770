"""Source code to trees, by tree-sitter: a text that is no good code still gives what is good in it."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from keybuzz.policy.node import START, Place

if TYPE_CHECKING:
    from tree_sitter import Node as SyntaxNode
    from tree_sitter import Parser

GRAMMARS = {
    "bash": ("tree_sitter_bash", "language"),
    "go": ("tree_sitter_go", "language"),
    "hcl": ("tree_sitter_hcl", "language"),
    "java": ("tree_sitter_java", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "json": ("tree_sitter_json", "language"),
    "make": ("tree_sitter_make", "language"),
    "php": ("tree_sitter_php", "language_php"),
    "python": ("tree_sitter_python", "language"),
    "ruby": ("tree_sitter_ruby", "language"),
    "toml": ("tree_sitter_toml", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
}
"""Language, to the wheel that has its grammar and the function there."""


class Source:
    """A text, parsed, that knows where its nodes are."""

    def __init__(self, language: str, text: str, first: Place = START) -> None:
        self._bytes = text.encode("utf-8", errors="replace")
        self._lines = self._bytes.split(b"\n")
        self._last = (-1, 0, 0)
        """The row, the byte and the character of the place that was asked for last."""
        self._first = first
        self.root: SyntaxNode = _parser(language).parse(self._bytes).root_node

    def text(self, node: SyntaxNode) -> str:
        """Return the text of a node."""
        return self.between(node.start_byte, node.end_byte)

    def between(self, start: int, end: int) -> str:
        """Return the text between two offsets in bytes."""
        return self._bytes[start:end].decode("utf-8", errors="replace")

    def place(self, node: SyntaxNode, skipped: int = 0) -> Place:
        """Return where a node begins, after `skipped` characters of its first line."""
        row, column = node.start_point
        start = self._first.column if row == 0 else 1
        return Place(self._first.line + row, start + self._characters(row, column) + skipped)

    def _characters(self, row: int, column: int) -> int:
        """Return how many characters the first bytes of a row are; long rows are counted only once."""
        last_row, last_column, count = self._last
        if row != last_row or column < last_column:
            last_column = count = 0
        count += len(self._lines[row][last_column:column].decode("utf-8", errors="replace"))
        self._last = (row, column, count)
        return count

    def walk(self, *wanted: str) -> Iterator[SyntaxNode]:
        """Yield the nodes of these types, in the order of the text, also those inside of each other."""
        yield from nodes(self.root, frozenset(wanted))

    def below(self, root: SyntaxNode, *wanted: str) -> Iterator[SyntaxNode]:
        """Yield the nodes of these types below a node."""
        yield from nodes(root, frozenset(wanted))


def nodes(root: SyntaxNode, wanted: frozenset[str]) -> Iterator[SyntaxNode]:
    """Yield the nodes of these types below a node and itself, in the order of the text."""
    cursor = root.walk()
    depth = 0
    while True:
        if cursor.node is not None and cursor.node.type in wanted:
            yield cursor.node
        if cursor.goto_first_child():
            depth += 1
            continue
        while depth and not cursor.goto_next_sibling():
            cursor.goto_parent()
            depth -= 1
        if not depth:
            return


@cache
def _parser(language: str) -> Parser:
    from tree_sitter import Language, Parser

    module, function = GRAMMARS[language]
    with warnings.catch_warnings():
        # Some wheels hand their grammar over as a number, which the library accepts and calls old.
        warnings.simplefilter("ignore", DeprecationWarning)
        return Parser(Language(getattr(importlib.import_module(module), function)()))
