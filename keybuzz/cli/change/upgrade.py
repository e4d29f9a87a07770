"""`kbz upgrade`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keybuzz.cli.change.pacing import consent, no_question, paced_members
from keybuzz.cli.look.edits import difference, put_unchanged
from keybuzz.cli.support.common import SPAN, error_columns
from keybuzz.cli.support.context import format_option, show, stoppable_workspace, workspace
from keybuzz.cli.support.offers import image_words, one_module_words
from keybuzz.cli.support.typed_name import at_terminal
from keybuzz.engine.pace.pace import Pace
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import UsageError
from keybuzz.model.core.proposed import proposed
from keybuzz.report.screen.fit import fit

if TYPE_CHECKING:
    from keybuzz.engine.upgrade.prepare import Prepared, Words


@click.command()
@click.argument("module", shell_complete=one_module_words)
@click.option(
    "--to", "tag", default="", metavar="TAG", help="The tag to run, such as 7.2.6-alpine."
)
@click.option("--back", is_flag=True, help="Undo the last upgrade, while the data allows it.")
@click.option(
    "--image",
    default="",
    metavar="NAME",
    shell_complete=image_words,
    help="The image in versions.yaml, where the module runs several.",
)
@click.option(
    "--reason", default="", metavar="TEXT", help="Why not the frozen tag; versions.yaml keeps it."
)
@click.option(
    "--lift-freeze",
    "lifted",
    multiple=True,
    metavar="MODULE",
    shell_complete=one_module_words,
    help="Let this upgrade change it (FRZ-1).",
)
@click.option("--without-backup", is_flag=True, help="Go on without a backup that is young enough.")
@click.option(
    "--timeout", type=SPAN, default=7200.0, show_default=True, metavar="SECONDS", help="For all."
)
@paced_members
@click.option("--yes", is_flag=True, help="Interrupt running services without a question.")
@format_option
def upgrade(
    module: str,
    tag: str,
    image: str,
    reason: str,
    lifted: tuple[str, ...],
    timeout: float,
    pace: Pace,
    form: str,
    *,
    back: bool,
    without_backup: bool,
    yes: bool,
) -> int:
    """Run another version of a module's image, by a table of steps that upstream allows.

    The image goes to every member first, then versions.yaml is changed and shown as a diff, then one member at a time
    is replaced behind the gates of `kbz run`, the leader last. The first member that does not come back well stops it.
    A step that the table does not have is refused, with the next one that is allowed. After any cut the same command
    ends it.
    """
    from keybuzz.engine.upgrade.carry import Means, carry_out
    from keybuzz.engine.upgrade.prepare import Words

    if bool(tag) == back:
        raise UsageError(
            "give --to TAG, or --back",
            hint=proposed("kbz", "upgrade", module, "--to", "7.2.6-alpine"),
        )
    words = Words(module, tag, image, back, reason, lifted, without_backup)
    quiet = form == "json"
    prepared = _prepared(words, quiet=quiet, asks=not yes)
    means = Means(lambda: stoppable_workspace(quiet=quiet), _put, timeout, pace)
    return show(carry_out(prepared, means), form)


def _prepared(words: Words, *, quiet: bool, asks: bool) -> Prepared:
    """Ask the hosts, show the step with its diff and plan, and ask the operator at a terminal."""
    from keybuzz.engine.upgrade.prepare import prepare
    from keybuzz.report.screen.plan import plan_text

    with workspace(Access.LOOK, quiet=quiet) as work:
        prepared = prepare(work, _versions(), words)
    found = prepared.found
    shown = difference(prepared.before, prepared.after, prepared.path)
    click.echo(f"{prepared.allowed}\n{shown}", err=True)
    if not asks or not at_terminal():  # the question shows the plan itself
        width = error_columns()
        plan = plan_text(found.plan, found.topologies, len(found.selected), width)
        click.echo(fit(plan, width), err=True)
    (consent if asks else no_question)(found)
    return prepared


def _put(prepared: Prepared) -> None:
    put_unchanged(prepared.path, prepared.before, prepared.after)
    click.echo(f"{prepared.path}: {prepared.reference}", err=True)


def _versions() -> Path:
    from keybuzz.site.load import read_configuration

    return read_configuration(Path(click.get_current_context().find_root().obj)).versions
