"""A group of verbs whose help is whole: click cuts a verb's sentence where a line would end."""

from __future__ import annotations

import click

_LONGEST = 400


class Verbs(click.Group):
    """Shows the first sentence of each verb, however long; it is wrapped."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [
            (name, command.get_short_help_str(_LONGEST)) for name, command in self.commands.items()
        ]
        with formatter.section("Verbs"):
            formatter.write_dl(rows)
