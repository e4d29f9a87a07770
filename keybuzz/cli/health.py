"""`kbz health`."""

from __future__ import annotations

import click

from keybuzz.cli.context import format_option, limit_option, show, workspace


@click.command()
@click.argument("modules", nargs=-1)
@limit_option
@format_option
def health(modules: tuple[str, ...], limit: tuple[str, ...], form: str) -> int:
    """Judge hosts and clusters, all at once. Exit 2 when something is not healthy."""
    from keybuzz.engine.catalogue import choose, named_only
    from keybuzz.engine.verbs import recorded

    names = modules or ("all",)
    chosen, named = choose(names), named_only(names)
    with workspace(quiet=form == "json") as work:
        report = recorded(work, "health", chosen, work.select(named, limit))
    return show(report, form)
