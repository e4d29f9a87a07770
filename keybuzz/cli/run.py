"""`kbz run`."""

from __future__ import annotations

import click

from keybuzz.cli.context import format_option, limit_option, show, workspace


@click.command()
@click.argument("modules", nargs=-1, required=True)
@limit_option
@click.option("--wait", default=0.0, metavar="SECONDS", help="Wait for another run's lease.")
@click.option(
    "--timeout", default=3600.0, show_default=True, metavar="SECONDS", help="For the whole run."
)
@format_option
def run(
    modules: tuple[str, ...], limit: tuple[str, ...], wait: float, timeout: float, form: str
) -> int:
    """Bring hosts to their description: stage by stage, behind gates, then prove it.

    Required modules come first (ORD-1, ORD-2). Nothing is deleted, no cluster is reset, no bootstrap is forced.
    """
    from keybuzz.engine.catalogue import choose, named_only
    from keybuzz.engine.verbs import run as run_modules

    chosen, named = choose(modules), named_only(modules)
    with workspace(quiet=form == "json") as work:
        report = run_modules(work, chosen, work.select(named, limit), wait=wait, timeout=timeout)
    return show(report, form)
