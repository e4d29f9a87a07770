"""`kbz health`: what is not healthy, once, again and again, or on a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from keybuzz.cli.look.scheduling import add_schedule, scheduled_options, wait_for_turn
from keybuzz.cli.support import watching
from keybuzz.cli.support.common import columns
from keybuzz.cli.support.context import limit_option, show, workspace
from keybuzz.cli.support.default_group import default_group
from keybuzz.cli.support.modules import modules_argument
from keybuzz.cli.support.output import give_out, output_place, report_format
from keybuzz.engine.schedule.schedule import HEALTH
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import UsageError
from keybuzz.model.core.proposed import proposed

if TYPE_CHECKING:
    from keybuzz.engine.workspace import Workspace
    from keybuzz.model.core.finding import Finding
    from keybuzz.model.reports.report import Report
    from keybuzz.site.module import Module


@click.group(cls=default_group("look"))
def health() -> None:
    """Check hosts and clusters, all at once, now or on a schedule. Exit 2 when something is not healthy.

    `kbz health MODULES` is short for `kbz health look MODULES`.
    """


@health.command()
@modules_argument()
@limit_option
@click.option(
    "--deep", is_flag=True, help="Write, read and remove a probe through each official endpoint."
)
@watching.watch_option
@watching.every_option
@scheduled_options
@report_format
def look(
    modules: tuple[str, ...],
    limit: tuple[str, ...],
    deep: bool,
    watch: bool,
    every: float,
    deadline: float | None,
    jitter: float,
    only_new: bool,
    form: str,
) -> int:
    """Check hosts and clusters, all at once. Exit 2 when something is not healthy."""
    from keybuzz.engine.catalogue import also, choose, named_only
    from keybuzz.engine.look.deep import with_probes
    from keybuzz.engine.look.scope import concerned
    from keybuzz.engine.verbs import look as seen
    from keybuzz.engine.verbs import recorded

    names = modules or ("all",)
    if watch:
        watching.require_screen(form, output_place())
        if only_new:
            raise UsageError(
                "--watch tells what came or went by itself", hint="leave --only-new out"
            )
    access = Access.PROBE if deep else Access.LOOK
    wait_for_turn(jitter)
    with workspace(access, quiet=watch or only_new or form != "text") as work:
        chosen, named = choose(names, also(work.site)), named_only(names, also(work.site))
        selected = work.select(named, limit)

        def judged() -> Report:
            report = seen(work, "health", chosen, selected, access, deadline)
            asked = concerned(chosen, work.site, selected)
            return with_probes(work, report, asked) if deep else report

        if watch:
            return watching.watch(lambda: _watched(judged()), every)
        before = _before(work, chosen, selected) if only_new else None
        report = recorded(work, "health", chosen, judged)
    if only_new and form == "text":
        _show_news(before, report)
        return int(report.exit_code)
    return show(report, form)


def _before(
    work: Workspace, chosen: tuple[Module, ...], selected: frozenset[str]
) -> tuple[Finding, ...] | None:
    from keybuzz.engine.look.looks import findings_before
    from keybuzz.engine.memory.documents import Documents
    from keybuzz.engine.memory.forgetful import read_or

    names, hosts = frozenset(module.name for module in chosen), work.present(selected)

    def read() -> tuple[Finding, ...] | None:
        documents = Documents(work.journal.path)
        return findings_before(work.journal, documents, "health", names, hosts)

    return read_or(work.journal, read, None)


def _show_news(before: tuple[Finding, ...] | None, report: Report) -> None:
    from keybuzz.report.screen.health_news import health_news
    from keybuzz.report.text.report import last_line

    news = health_news(before, report)
    more = proposed("kbz", "history", report.number) if report.number else "kbz health"
    # Also when there is nothing to tell: a file of --output must not go on telling what was new once.
    give_out(f"{news}\n{last_line(report)} → {more}\n" if news else "")


def _watched(report: Report) -> watching.Look:
    from keybuzz.report.text.findings import finding_line
    from keybuzz.report.text.report import report_text

    facts = (finding_line(finding) for finding in report.findings if finding.level)
    return watching.Look(report_text(report, columns()), frozenset(facts), int(report.exit_code))


add_schedule(health, HEALTH)
