"""Makefiles: variables, and recipes as commands."""

from __future__ import annotations

from keybuzz.policy.document import Command, Document, Kind, Setting
from keybuzz.policy.node import Place
from keybuzz.policy.readers.code.shell import read_commands, shell_document
from keybuzz.policy.readers.code.syntax import Source
from keybuzz.policy.readers.named import images_of


def read_makefile(path: str, text: str) -> Document:
    """Return the assignments of a Makefile and the commands of its recipes."""
    source = Source("make", text)
    variables: list[Setting] = []
    commands: list[Command] = []
    settings: list[Setting] = []
    for node in source.walk("variable_assignment", "recipe_line"):
        if node.type == "variable_assignment":
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if name is not None and value is not None:
                variables.append(
                    Setting((source.text(name),), source.text(value).strip(), source.place(value))
                )
            continue
        line = source.text(node).replace("$$", "$ ")
        skipped = len(line) - len(line.lstrip("@-+ \t"))
        first = source.place(node)
        place = Place(first.line, first.column + skipped)
        inner, given = read_commands(line[skipped:], place)
        commands += inner
        settings += given
    found = shell_document(path, Kind.MAKEFILE, text, tuple(commands), tuple(settings))
    named = tuple(variables)
    return found.joined(
        Document(path, Kind.MAKEFILE, text, named, variables=named, images=images_of(named))
    )
