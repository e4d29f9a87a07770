"""Every verb of the command line, found by walking it: so that no list of verbs can forget one."""

from __future__ import annotations

from collections.abc import Iterator

import click

from keybuzz.cli.main import VERBS, cli


def verbs() -> dict[str, click.Command]:
    """Return every command that can be called, by its words, such as `lab fault stop`."""
    found: dict[str, click.Command] = {}
    context = click.Context(cli)
    for name in VERBS:
        command = cli.get_command(context, name)
        assert command is not None
        found.update(_leaves(name, command))
    return found


def _leaves(words: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield words, command
        return
    for name, child in command.commands.items():
        yield from _leaves(f"{words} {name}", child)
