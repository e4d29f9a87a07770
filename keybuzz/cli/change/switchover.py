"""`kbz switchover`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from keybuzz.cli.change.pacing import confirmed
from keybuzz.cli.support.common import SPAN, WAIT, columns, error_columns
from keybuzz.cli.support.context import (
    format_option,
    show,
    stoppable_workspace,
    workspace,
)
from keybuzz.cli.support.offers import host_words, switchover_words
from keybuzz.model.core.access import Access

if TYPE_CHECKING:
    from keybuzz.engine.maintain.switchover import SwitchoverRequest
    from keybuzz.model.reports.handover import PlannedHandover


@click.command()
@click.argument("cluster", metavar="CLUSTER", shell_complete=switchover_words)
@click.option("--to", default="", metavar="HOST", help="Who leads then.", shell_complete=host_words)
@click.option(
    "--show", "only_show", is_flag=True, help="Show who leads and who could; change nothing."
)
@click.option(
    "--no-writes", is_flag=True, help="Do not write through the official endpoint to measure it."
)
@click.option("--yes", is_flag=True, help="Hand over without a question.")
@click.option(
    "--wait", type=WAIT, default=0.0, metavar="SECONDS", help="Wait for another run's lease."
)
@click.option(
    "--timeout",
    type=SPAN,
    default=900.0,
    show_default=True,
    metavar="SECONDS",
    help="For all of it.",
)
@format_option
def switchover(
    cluster: str,
    to: str,
    only_show: bool,
    no_writes: bool,
    yes: bool,
    wait: float,
    timeout: float,
    form: str,
) -> int:
    """Hand over the lead of a cluster as planned, and measure what that interrupts.

    It shows who leads and which members could take over, by what their daemons say, and asks on a terminal. Refused
    where the named member could not, or where the cluster is not whole. Where entries lead to the cluster, they move
    its writer. No description changes, so that a frozen cluster may hand over (FRZ-1).
    """
    from keybuzz.engine.maintain import switchover as engine

    request = engine.SwitchoverRequest(
        cluster, to, not no_writes, wait, timeout, _unasked if yes else _consent
    )
    if only_show:
        return _shown(request, form)
    with stoppable_workspace(quiet=form == "json") as work:
        report = engine.switchover(work, request)
    return show(report, form)


def _shown(request: SwitchoverRequest, form: str) -> int:
    from keybuzz.engine.maintain.switchover import look
    from keybuzz.report.screen.handover import planned_text

    with workspace(Access.LOOK, quiet=form == "json") as work:
        report = look(work, request)
    if form == "json" or report.handover is None:
        return show(report, form)
    click.echo(planned_text(report.handover.planned, columns()), nl=False)
    return int(report.exit_code)


def _unasked(planned: PlannedHandover) -> bool:
    """Show it, and ask nothing: the operator has said --yes."""
    from keybuzz.report.screen.handover import planned_text

    click.echo(planned_text(planned, error_columns()), err=True, nl=False)
    return False


def _consent(planned: PlannedHandover) -> bool:
    _unasked(planned)
    return confirmed(f"This interrupts writes to {planned.cluster} for some seconds")
