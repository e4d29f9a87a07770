"""`kbz drift`: what was changed by hand, once or on a schedule."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keybuzz.cli.support.common import WAIT
from keybuzz.cli.support.context import (
    holding,
    limit_option,
    pass_inventory_site,
    show,
    workspace,
)
from keybuzz.cli.support.default_group import default_group
from keybuzz.cli.support.modules import modules_argument
from keybuzz.cli.support.offers import module_words
from keybuzz.cli.support.output import give_out, report_format, show_answer
from keybuzz.model.core.access import Access
from keybuzz.model.core.proposed import proposed
from keybuzz.site.site import Site

if TYPE_CHECKING:
    from keybuzz.model.reports.report import Report

into_option = click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("/"),
    help="Folder to write below instead of /; nothing is started then.",
)


@click.group(cls=default_group("look"))
def drift() -> None:
    """Report what was changed by hand, and what nobody described. Changes nothing on any host.

    `kbz drift MODULES` is short for `kbz drift look MODULES`. Exit codes: 0 no drift, 2 drift,
    4 a host could not be asked or had no time to answer, 3 another drift run is at work, or a hook refused.
    """


@drift.command()
@modules_argument()
@limit_option
@click.option(
    "--deadline",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Hosts that have not answered by then are unknown.",
)
@click.option(
    "--jitter",
    type=WAIT,
    default=0.0,
    metavar="SECONDS",
    help="Begin after a random part of this.",
)
@click.option(
    "--only-new", is_flag=True, help="Print only what came or went, and nothing when nothing did."
)
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
    from keybuzz.engine.catalogue import all_modules, choose, named_only
    from keybuzz.engine.drift.drift import DriftRequest
    from keybuzz.engine.drift.drift import drift as compare

    names = modules or ("all",)
    chosen, named = choose(names), named_only(names)
    time.sleep(random.uniform(0, jitter))
    with workspace(Access.LOOK, quiet=only_new or form != "text") as work:
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


def schedule_options(function: Callable[..., int]) -> Callable[..., int]:
    """Add the options that say when and how a schedule looks."""
    from keybuzz.engine.drift.schedule import EVERY, PROGRAMS

    options = (
        click.argument("modules", nargs=-1, shell_complete=module_words),
        limit_option,
        click.option(
            "--every", type=click.Choice(list(EVERY)), default="hourly", show_default=True
        ),
        click.option(
            "--jitter",
            type=click.IntRange(min=0),
            default=300,
            show_default=True,
            metavar="SECONDS",
            help="Each run begins after a random part of this.",
        ),
        click.option(
            "--deadline",
            type=click.IntRange(min=1),
            default=300,
            show_default=True,
            metavar="SECONDS",
            help="Hosts that have not answered by then are unknown; the run itself ends a minute later.",
        ),
        click.option(
            "--by",
            "program",
            type=click.Choice(["auto", *PROGRAMS]),
            default="auto",
            show_default=True,
            help="auto: systemd where it runs.",
        ),
        click.option("--show", "only_show", is_flag=True, help="Print what would be written."),
        into_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


@drift.command()
@schedule_options
@pass_inventory_site
def install(
    site: Site,
    modules: tuple[str, ...],
    limit: tuple[str, ...],
    every: str,
    jitter: int,
    deadline: int,
    program: str,
    only_show: bool,
    into: Path,
) -> int:
    """Install the schedule on this machine. Can be repeated: it writes only what differs, and says what."""
    from keybuzz.engine.catalogue import choose
    from keybuzz.engine.drift.schedule import Schedule, files, place, running_program

    choose(modules or ("all",))
    config = Path(click.get_current_context().find_root().obj).resolve()
    wanted = Schedule(config, modules, limit, every, jitter, deadline)
    chosen = running_program() if program == "auto" else program
    if only_show:
        for path, text in files(wanted, chosen).items():
            click.echo(f"{into / path}:\n{text}")
        return 0
    with holding("drift install", site.settings.state, site.root, site.members("controller")):
        for line in place(wanted, chosen, into):
            click.echo(line)
    return 0


@drift.command()
@into_option
@pass_inventory_site
def uninstall(site: Site, into: Path) -> int:
    """Remove the drift schedule; the journal is kept."""
    from keybuzz.engine.drift.schedule import take_away

    with holding("drift uninstall", site.settings.state, site.root, site.members("controller")):
        for line in take_away(into):
            click.echo(line)
    return 0


@drift.command()
@into_option
@report_format
@pass_inventory_site
def status(site: Site, into: Path, form: str) -> int:
    """Show the drift schedule, its last result and its next run.

    Exit 2 when nothing is scheduled, or when the last run is too long ago.
    """
    from keybuzz.engine.drift.schedule import schedule_status
    from keybuzz.engine.memory.journal import Journal
    from keybuzz.report.page.sheets import sheet_of_schedule
    from keybuzz.report.text.schedule import status_document, status_text

    journal = Journal(site.settings.state / "journal.sqlite")
    found = schedule_status(journal, into, time.time())
    return show_answer(
        form,
        text=lambda: status_text(found) + "\n",
        document=lambda: status_document(found),
        sheet=lambda: sheet_of_schedule(found),
    )
