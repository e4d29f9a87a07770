"""`kbz backup`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from keybuzz.cli.look.scheduling import add_work, wait_for_turn
from keybuzz.cli.support.common import WAIT
from keybuzz.cli.support.context import format_option, stoppable_workspace, workspace
from keybuzz.cli.support.offers import archive_words
from keybuzz.cli.support.output import document_format, show_document
from keybuzz.engine.schedule.schedule import BACKUP
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import UsageError

if TYPE_CHECKING:
    from keybuzz.engine.backup.report import BackupReport

service_argument = click.argument("service", shell_complete=archive_words)


@click.group()
def backup() -> None:
    """Backups on backup-01: take one, list them, prove that one is whole. kbz restore brings one back."""


@backup.command()
@service_argument
@click.option(
    "--jitter", type=WAIT, default=0.0, metavar="SECONDS", help="Begin after a random part of this."
)
@click.option("--only-bad", is_flag=True, help="Print only what went wrong.")
@format_option
def run(service: str, jitter: float, only_bad: bool, form: str) -> int:
    """Take a backup of a service now, or of all.

    Of PostgreSQL it is a base backup: WAL is received all the time, by module backup. A run that was cut off leaves
    nothing that can be restored; the same command takes another. Of all, one that fails never stops the others.
    """
    from keybuzz.engine.backup import take

    _require_one(service, form)
    wait_for_turn(jitter)

    def tell(one: BackupReport) -> None:
        if one.problem or not only_bad:
            shown(one, form)

    with stoppable_workspace(quiet=only_bad or form == "json") as work:
        return int(take.each(work, service, lambda name: take.run(work, name), tell))


@backup.command("list")
@service_argument
@document_format
def list_(service: str, form: str) -> int:
    """List the backups of a service: when each ended, its size, when it was verified, and what is wrong with it."""
    from keybuzz.engine.backup import take

    with workspace(Access.LOOK, quiet=form == "json") as work:
        report = take.listed(work, service)
    return shown(report, form)


@backup.command()
@service_argument
@click.option("--backup", "wanted", default="", metavar="ID", help="This one, not the newest.")
@format_option
def verify(service: str, wanted: str, form: str) -> int:
    """Read a backup again, file by file, against its manifest, and note what was found.

    One that is damaged or half written is refused by kbz restore from then on.
    """
    from keybuzz.engine.backup import take

    with stoppable_workspace(quiet=form == "json") as work:
        report = take.verify(work, service, wanted)
    return shown(report, form)


def _require_one(service: str, form: str) -> None:
    """A document is of one service."""
    if service == "all" and form == "json":
        raise UsageError("all has no document", hint="name one service, or leave out --format")


def shown(report: BackupReport, form: str) -> int:
    """Give a report out in its form, and return the exit code."""
    from keybuzz.report.screen.backups import backups_document, backups_text

    show_document(form, lambda: backups_text(report), lambda: backups_document(report))
    return int(report.code)


add_work(backup, BACKUP)
