"""`kbz health`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from keybuzz.cli.support import watching
from keybuzz.cli.support.common import columns
from keybuzz.cli.support.context import limit_option, show, workspace
from keybuzz.cli.support.modules import modules_argument
from keybuzz.cli.support.output import output_place, report_format
from keybuzz.model.core.access import Access

if TYPE_CHECKING:
    from keybuzz.model.reports.report import Report


@click.command()
@modules_argument()
@limit_option
@click.option(
    "--deep", is_flag=True, help="Write, read and remove a probe through each official endpoint."
)
@watching.watch_option
@watching.every_option
@report_format
def health(
    modules: tuple[str, ...],
    limit: tuple[str, ...],
    deep: bool,
    watch: bool,
    every: float,
    form: str,
) -> int:
    """Check hosts and clusters, all at once. Exit 2 when something is not healthy."""
    from keybuzz.engine.catalogue import choose, named_only
    from keybuzz.engine.look.deep import with_probes
    from keybuzz.engine.look.scope import concerned
    from keybuzz.engine.verbs import look, recorded

    names = modules or ("all",)
    chosen, named = choose(names), named_only(names)
    if watch:
        watching.require_screen(form, output_place())
    access = Access.PROBE if deep else Access.LOOK
    with workspace(access, quiet=watch or form != "text") as work:
        selected = work.select(named, limit)

        def judged() -> Report:
            report = look(work, "health", chosen, selected, access)
            asked = concerned(chosen, work.site, selected)
            return with_probes(work, report, asked) if deep else report

        if watch:
            return watching.watch(lambda: _look(judged()), every)
        report = recorded(work, "health", chosen, judged)
    return show(report, form)


def _look(report: Report) -> watching.Look:
    from keybuzz.report.text.findings import finding_line
    from keybuzz.report.text.report import report_text

    facts = (finding_line(finding) for finding in report.findings if finding.level)
    return watching.Look(report_text(report, columns()), frozenset(facts), int(report.exit_code))
