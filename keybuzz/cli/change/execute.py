"""`kbz exec`."""

from __future__ import annotations

import click

from keybuzz.cli.support.common import SPAN
from keybuzz.cli.support.context import limit_option, workspace
from keybuzz.cli.support.output import document_format, document_text, give_out, give_out_lines
from keybuzz.model.core.access import Access


@click.command(name="exec", context_settings={"ignore_unknown_options": True})
@limit_option
@click.option(
    "--timeout",
    type=SPAN,
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="For each host.",
)
@click.option(
    "--looks", is_flag=True, help="It only looks: run it beside another run, without a lease."
)
@document_format
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(
    limit: tuple[str, ...], timeout: float, looks: bool, form: str, command: tuple[str, ...]
) -> int:
    """Run one command on many hosts at once: kbz exec --limit db -- uptime.

    Exit codes and the first 16 MB of both streams are kept; what comes after them is counted. One word is run by a
    shell, several are run as they are. The host needs no Python for it, and ends the command when its time is over or
    the connection is lost. The leases of the hosts' clusters are held, unless --looks says that the command changes
    nothing.
    """
    from keybuzz.engine.change.execute import execute_everywhere, look_everywhere, worst
    from keybuzz.report.text.execution import execution_document, execution_lines

    act = look_everywhere if looks else execute_everywhere
    with workspace(Access.CHANGE, quiet=form == "json") as work:
        results = act(work, limit, command, timeout)
        trouble = work.journal.trouble
    if trouble:
        click.echo(trouble, err=True)
    if form == "text":
        give_out_lines(execution_lines(results))
    else:
        give_out(document_text(execution_document(results)))
    return int(worst(results))
