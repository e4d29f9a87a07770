"""`kbz drift`."""

from __future__ import annotations

import click

from keybuzz.cli.context import limit_option, show, workspace
from keybuzz.cli.offers import module_words
from keybuzz.cli.output import report_format


@click.command()
@click.argument("modules", nargs=-1, shell_complete=module_words)
@limit_option
@report_format
def drift(modules: tuple[str, ...], limit: tuple[str, ...], form: str) -> int:
    """Report what is not as described, and remember it. Changes nothing. Exit 2 when something is."""
    from keybuzz.engine.catalogue import choose, named_only
    from keybuzz.engine.verbs import recorded

    names = modules or ("all",)
    chosen, named = choose(names), named_only(names)
    with workspace(quiet=form != "text") as work:
        report = recorded(work, "drift", chosen, work.select(named, limit))
    return show(report, form)
