"""`kbz exec`."""

from __future__ import annotations

import click

from keybuzz.cli.context import format_option, limit_option, print_document, workspace


@click.command(name="exec", context_settings={"ignore_unknown_options": True})
@limit_option
@click.option(
    "--timeout", default=60.0, show_default=True, metavar="SECONDS", help="For each host."
)
@format_option
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(limit: tuple[str, ...], timeout: float, form: str, command: tuple[str, ...]) -> int:
    """Run one command on many hosts at once: kbz exec --limit db -- uptime.

    Exit codes and both streams are kept. One word is run by a shell, several are run as they are.
    """
    from keybuzz.engine.execute import execute_everywhere, worst
    from keybuzz.report.execution import execution_document, execution_text

    with workspace(quiet=form == "json") as work:
        results = execute_everywhere(work, limit, command, timeout)
    if form == "json":
        print_document(execution_document(results))
    else:
        click.echo(execution_text(results), nl=False)
    return int(worst(results))
