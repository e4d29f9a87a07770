"""`kbz run`."""

from __future__ import annotations

from pathlib import Path

import click

from keybuzz.cli.context import format_option, limit_option, show, workspace
from keybuzz.model.errors import UsageError


@click.command()
@click.argument("modules", nargs=-1)
@limit_option
@click.option("--all", "everything", is_flag=True, help="Mean all clusters, without --limit.")
@click.option(
    "--plan",
    "saved",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Apply exactly this saved plan, or refuse.",
)
@click.option("--wait", default=0.0, metavar="SECONDS", help="Wait for another run's lease.")
@click.option(
    "--timeout", default=3600.0, show_default=True, metavar="SECONDS", help="For the whole run."
)
@format_option
def run(
    modules: tuple[str, ...],
    limit: tuple[str, ...],
    everything: bool,
    saved: Path | None,
    wait: float,
    timeout: float,
    form: str,
) -> int:
    """Bring hosts to their description: stage by stage, behind gates, then prove it.

    Required modules come first (ORD-1, ORD-2). Nothing is deleted, no cluster is reset, no bootstrap is
    forced.
    """
    if not modules and saved is None:
        raise UsageError("name a module, or --plan FILE", hint="kbz run patroni --limit db")
    from keybuzz.engine.requests import from_names, from_plan
    from keybuzz.engine.run import run as run_request

    with workspace(quiet=form == "json") as work:
        if saved is not None:
            request = from_plan(work, saved, modules, limit, wait, timeout)
        else:
            request = from_names(work, modules, limit, everything, wait, timeout)
        report = run_request(work, request)
    return show(report, form)
