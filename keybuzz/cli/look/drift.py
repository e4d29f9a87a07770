"""`kbz drift`: what was changed by hand, once or on a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from keybuzz.cli.look.accept import accept
from keybuzz.cli.look.scheduling import add_schedule, scheduled_options, wait_for_turn
from keybuzz.cli.support.context import limit_option, show, workspace
from keybuzz.cli.support.default_group import default_group
from keybuzz.cli.support.modules import modules_argument
from keybuzz.cli.support.output import give_out, report_format
from keybuzz.engine.schedule.schedule import DRIFT
from keybuzz.model.core.access import Access
from keybuzz.model.core.proposed import proposed

if TYPE_CHECKING:
    from keybuzz.model.reports.report import Report


@click.group(cls=default_group("look"))
def drift() -> None:
    """Report what was changed by hand, and what is not described. Changes nothing on any host.

    `kbz drift MODULES` is short for `kbz drift look MODULES`. Exit codes: 0 no drift, 2 drift,
    4 a host could not be asked or had no time to answer, 3 another drift run is at work, or a hook refused.
    """


drift.add_command(accept)


@drift.command()
@modules_argument()
@limit_option
@scheduled_options
@report_format
def look(
    modules: tuple[str, ...],
    limit: tuple[str, ...],
    deadline: float | None,
    jitter: float,
    only_new: bool,
    form: str,
) -> int:
    """Compare hosts with their description and with the run before, and remember it."""
    from keybuzz.engine.catalogue import all_modules, also, choose, named_only
    from keybuzz.engine.drift.drift import DriftRequest
    from keybuzz.engine.drift.drift import drift as compare

    names = modules or ("all",)
    wait_for_turn(jitter)
    with workspace(Access.LOOK, quiet=only_new or form != "text") as work:
        chosen, named = choose(names, also(work.site)), named_only(names, also(work.site))
        selected = work.select(named, limit)
        report = compare(work, DriftRequest(chosen, selected, all_modules(), deadline))
    if only_new and form == "text" and report.drift is not None:
        _show_news(report)
        return int(report.exit_code)
    return show(report, form)


def _show_news(report: Report) -> None:
    from keybuzz.report.text.drift import news_text
    from keybuzz.report.text.report import last_line

    news = news_text(report)
    # Also when there is nothing to tell: a file of --output must not go on telling what was new once.
    give_out(
        f"{news}\n{last_line(report)} → {proposed('kbz', 'history', report.number)}\n"
        if news
        else ""
    )


add_schedule(drift, DRIFT)
