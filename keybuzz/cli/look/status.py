"""`kbz status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from keybuzz.cli.support import watching
from keybuzz.cli.support.common import columns
from keybuzz.cli.support.context import limit_option, workspace
from keybuzz.cli.support.modules import modules_argument
from keybuzz.cli.support.output import output_place, report_format, show_answer
from keybuzz.model.core.access import Access

if TYPE_CHECKING:
    from keybuzz.model.reports.status import Status


@click.command()
@modules_argument()
@limit_option
@watching.watch_option
@watching.every_option
@report_format
def status(
    modules: tuple[str, ...], limit: tuple[str, ...], watch: bool, every: float, form: str
) -> int:
    """Show all clusters on one screen: who leads, lag, quorum left, frozen or not, last run and drift.

    Exit codes as of `kbz health`: 0 well, 2 not well, 4 a host does not answer.
    """
    from keybuzz.engine.catalogue import also, choose, named_only
    from keybuzz.engine.look.status import status as look
    from keybuzz.report.page.sheets import sheet_of_status
    from keybuzz.report.text.status import status_document, status_text

    names = modules or ("all",)
    if watch:
        watching.require_screen(form, output_place())
    with workspace(Access.LOOK, quiet=watch or form != "text") as work:
        chosen, named = choose(names, also(work.site)), named_only(names, also(work.site))
        selected = work.select(named, limit)
        if watch:
            return watching.watch(lambda: _look(look(work, chosen, selected)), every)
        found = look(work, chosen, selected)
    return show_answer(
        form,
        text=lambda: status_text(found, columns()),
        document=lambda: status_document(found),
        sheet=lambda: sheet_of_status(found),
    )


def _look(found: Status) -> watching.Look:
    from keybuzz.report.text.status import facts, status_text

    return watching.Look(
        status_text(found, columns()), frozenset(facts(found)), int(found.exit_code)
    )
