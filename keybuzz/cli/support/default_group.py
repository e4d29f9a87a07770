"""A verb that has verbs of its own and is also one by itself: `kbz drift base` beside `kbz drift install`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class DefaultGroup(click.Group):
    """What does not begin with the name of one of its commands is for the command named in `default`."""

    default = ""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        if not args and ctx.resilient_parsing:
            return super().parse_args(ctx, args)  # a shell completes: both are offered
        if first not in self.commands and first not in ctx.help_option_names:
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer its own verbs, and what the default one takes."""
        found = super().shell_complete(ctx, incomplete)
        command = self.commands[self.default]
        inner = click.Context(command, info_name=self.default, parent=ctx, resilient_parsing=True)
        if incomplete.startswith("-"):
            return found + command.shell_complete(inner, incomplete)
        for parameter in command.params:
            if isinstance(parameter, click.Argument):
                found += parameter.shell_complete(inner, incomplete)
        return found


def default_group(default: str) -> type[DefaultGroup]:
    """Return the class of a group whose command `default` is meant when none is named."""
    return type("DefaultGroup", (DefaultGroup,), {"default": default})
