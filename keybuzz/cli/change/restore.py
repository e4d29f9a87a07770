"""`kbz restore`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from keybuzz.cli.change.backup import service_argument, shown
from keybuzz.cli.support.common import error_columns
from keybuzz.cli.support.context import format_option, stoppable_workspace
from keybuzz.cli.support.typed_name import confirm_option, require_typed

if TYPE_CHECKING:
    from keybuzz.engine.backup.restore import Plan


@click.command()
@service_argument
@click.option(
    "--to-time",
    "until",
    default="",
    metavar="TIME",
    help="Such as 2026-11-30T12:00:06; without a zone it is this machine's. Else the last transaction.",
)
@click.option("--backup", "wanted", default="", metavar="ID", help="Start from this backup.")
@confirm_option
@format_option
def restore(service: str, until: str, wanted: str, confirm: str | None, form: str) -> int:
    """Bring the data of a service back as of a time, on backup-01, beside the living service.

    The plan is shown, and the cluster's name must be typed. It goes into an empty place and into nothing else: what
    you need of it you copy from there. Cut off at any step, the same command begins it again.

    After a rebuild from zero the older backups are of another cluster: --backup must name one of those.
    """
    from keybuzz.engine.backup import restore as engine

    def typed(plan: Plan) -> None:
        from keybuzz.report.screen.backups import plan_text
        from keybuzz.report.screen.fit import fit

        click.echo(fit(plan_text(plan), error_columns()), err=True, nl=False)
        require_typed(plan.cluster, confirm, f"{plan.service} is restored into {plan.target}")

    with stoppable_workspace(quiet=form == "json") as work:
        report = engine.restore(work, service, until, wanted, typed)
    return shown(report, form)
