"""Shell: commands as words, assignments as variables, here-documents as texts. Nothing is expanded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from keybuzz.policy.document import Command, Document, Kind, Setting, Word
from keybuzz.policy.node import START, Place
from keybuzz.policy.readers.code.clients import command_settings
from keybuzz.policy.readers.code.syntax import Source
from keybuzz.policy.readers.images import command_binds, command_images
from keybuzz.policy.readers.named import binds_of, images_of
from keybuzz.policy.readers.text import line_settings

if TYPE_CHECKING:
    from tree_sitter import Node as SyntaxNode

_PREFIXES = frozenset({"sudo", "exec", "time", "nohup", "env", "command", "@", "-"})
_SHELLS = frozenset({"bash", "sh", "ash", "dash", "zsh", "eval"})
_DEEPEST = 4
_ESCAPED = re.compile(r"\\(\n|.)", re.DOTALL)


def read_shell(path: str, text: str) -> Document:
    """Return the commands of a script, and what they assign, run and listen on."""
    return shell_document(path, Kind.SHELL, text, *read_commands(text))


def shell_document(
    path: str, kind: Kind, text: str, commands: tuple[Command, ...], settings: tuple[Setting, ...]
) -> Document:
    """Return the document of commands that are in a script, a Dockerfile or a manifest."""
    given = settings + tuple(item for command in commands for item in command_settings(command))
    images = images_of(given)
    binds = binds_of(given)
    for command in commands:
        images += command_images(command)
        binds += command_binds(command)
    return Document(
        path,
        kind,
        text,
        given,
        variables=tuple(item for item in settings if item.path),
        images=images,
        binds=binds,
        commands=commands,
    )


def read_commands(
    text: str, first: Place = START, depth: int = 0
) -> tuple[tuple[Command, ...], tuple[Setting, ...]]:
    """Return the commands of a text that begins at a place, and the assignments and here-documents between them."""
    source = Source("bash", text, first)
    commands: list[Command] = []
    settings: list[Setting] = []
    for node in source.walk("command", "variable_assignment", "heredoc_body", "test_command"):
        if node.type == "variable_assignment":
            settings += _assignment(source, node)
        elif node.type == "heredoc_body":
            settings += line_settings(source.text(node), source.place(node))
        elif node.type == "command":
            command = _command(source, node)
            if command is not None:
                commands.append(command)
                inner, given = _inner(command, depth)
                commands += inner
                settings += given
    return tuple(commands), tuple(settings)


def _command(source: Source, node: SyntaxNode) -> Command | None:
    """Return a command without its redirections; the words before the program's own name are left out."""
    words = [
        _word(source, child)
        for child in node.named_children
        if child.type
        not in ("variable_assignment", "file_redirect", "herestring_redirect", "comment")
    ]
    while words and words[0].text in _PREFIXES:
        words = words[1:]
    return Command(tuple(words)) if words and words[0].text else None


def _word(source: Source, node: SyntaxNode) -> Word:
    text, skipped = _plain(source, node)
    return Word(text, source.place(node, skipped))


def _plain(source: Source, node: SyntaxNode) -> tuple[str, int]:
    """Return a word without its quotes, and how many characters of quotes are before it."""
    raw = source.text(node)
    if node.type == "raw_string":
        return raw[1:-1], 1
    if node.type == "ansi_c_string":
        return raw[2:-1], 2
    if node.type == "string":
        return _ESCAPED.sub(_unescaped, raw[1:-1]), 1
    if node.type in ("concatenation", "command_name") and node.named_child_count:
        parts = [_plain(source, child) for child in node.children]
        return "".join(text for text, _ in parts), parts[0][1]
    return (_ESCAPED.sub(_unescaped, raw) if node.type == "word" else raw), 0


def _unescaped(match: re.Match[str]) -> str:
    return "" if match[1] == "\n" else match[1]


def _assignment(source: Source, node: SyntaxNode) -> Iterator[Setting]:
    name = node.child_by_field_name("name")
    value = node.child_by_field_name("value")
    if name is None or value is None:
        return
    text, skipped = _plain(source, value)
    yield Setting((source.text(name),), text, source.place(value, skipped), scope=_scope(node))


def _scope(node: SyntaxNode) -> int:
    """Assignments before one command belong to it alone; all others belong to the script."""
    parent = node.parent
    return parent.start_point[0] + 1 if parent is not None and parent.type == "command" else 0


def _inner(command: Command, depth: int) -> tuple[tuple[Command, ...], tuple[Setting, ...]]:
    """Return what `sh -c TEXT` runs."""
    if depth >= _DEEPEST:
        return (), ()
    for position, word in enumerate(command.words[:-1]):
        is_shell = word.text.rpartition("/")[2] in _SHELLS
        following = command.words[position + 1]
        if (
            is_shell
            and re.fullmatch(r"-\w*c", following.text)
            and len(command.words) > position + 2
        ):
            text = command.words[position + 2]
            return read_commands(text.text, text.place, depth + 1)
    return (), ()
