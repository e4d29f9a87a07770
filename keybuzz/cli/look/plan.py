"""`kbz plan`."""

from __future__ import annotations

from pathlib import Path

import click

from keybuzz.cli.support.context import limit_option, show, workspace
from keybuzz.cli.support.modules import modules_argument
from keybuzz.cli.support.output import report_format
from keybuzz.model.core.access import Access


@click.command()
@modules_argument()
@limit_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Save it; `kbz run --plan FILE` applies exactly that, or refuses.",
)
@report_format
def plan(modules: tuple[str, ...], limit: tuple[str, ...], out: Path | None, form: str) -> int:
    """Show what would change, as a diff, and the stages that a run would take. Exit 2 when there is something to do."""
    from keybuzz.engine.catalogue import also, choose, named_only
    from keybuzz.engine.change.saved_plan import require_place, save
    from keybuzz.engine.verbs import planned

    names = modules or ("all",)
    if out is not None:
        require_place(out)
    with workspace(Access.LOOK, quiet=form != "text") as work:
        chosen, named = choose(names, also(work.site)), named_only(names, also(work.site))
        selected = work.select(named, limit)
        report = planned(work, chosen, selected)
    if out is not None:
        save(out, report.plan, names, selected)
    return show(report, form)
