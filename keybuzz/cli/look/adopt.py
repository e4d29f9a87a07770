"""`kbz adopt`."""

from __future__ import annotations

import click

from keybuzz.cli.support.context import limit_option, workspace
from keybuzz.cli.support.modules import modules_argument
from keybuzz.cli.support.output import document_format, show_document
from keybuzz.model.core.access import Access
from keybuzz.model.core.outcome import ExitCode


@click.command()
@modules_argument()
@limit_option
@document_format
def adopt(modules: tuple[str, ...], limit: tuple[str, ...], form: str) -> int:
    """Say what it takes to bring what runs to its description. Changes nothing.

    For each difference: whether it takes effect without a restart, needs a restart, or needs a decision; and what a
    run would refuse, with the way out. Exit codes: 0 everything is as described, 2 it is not, 4 a host could not be
    asked.
    """
    from keybuzz.engine.adopt.adopt import adopt as look
    from keybuzz.engine.catalogue import choose, named_only
    from keybuzz.report.screen.adoption import adoption_document, adoption_text

    names = modules or ("all",)
    chosen, named = choose(names), named_only(names)
    with workspace(Access.LOOK, quiet=form != "text") as work:
        found = look(work, chosen, work.select(named, limit))
    show_document(form, lambda: adoption_text(found), lambda: adoption_document(found))
    if found.unreachable:
        return int(ExitCode.UNREACHABLE)
    return int(ExitCode.GOOD if found.done else ExitCode.DIFFERENT)
