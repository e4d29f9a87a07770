"""A verb that has verbs of its own and is also one by itself: `kbz drift patroni` beside `kbz drift install`."""

from __future__ import annotations

import click


class DefaultGroup(click.Group):
    """What does not begin with the name of one of its commands is for the command named in `default`."""

    default = ""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        if first not in self.commands and first not in ctx.help_option_names:
            args = [self.default, *args]
        return super().parse_args(ctx, args)


def default_group(default: str) -> type[DefaultGroup]:
    """Return the class of a group whose command `default` is meant when none is named."""
    return type("DefaultGroup", (DefaultGroup,), {"default": default})
