"""`kbz help`."""

from __future__ import annotations

import click

from keybuzz.cli.support.offers import verb_words
from keybuzz.model.core.errors import UsageError
from keybuzz.site.files.problems import nearest


@click.command("help")
@click.argument("words", nargs=-1, metavar="[VERB]...", shell_complete=verb_words)
def help_(words: tuple[str, ...]) -> None:
    """Print the help of a verb, as `kbz VERB --help` does: `kbz help drift install`."""
    context = click.get_current_context().find_root()
    command = context.command
    for word in words:
        known = command.list_commands(context) if isinstance(command, click.Group) else []
        found = command.get_command(context, word) if isinstance(command, click.Group) else None
        if found is None:
            hint = (
                nearest(word, known) if known else f"{context.command_path} has no verbs of its own"
            )
            raise UsageError(f"there is no verb {word}", hint=hint)
        context = click.Context(found, info_name=word, parent=context)
        command = found
    click.echo(command.get_help(context))
