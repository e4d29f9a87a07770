"""`kbz recover`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from keybuzz.cli.support.common import SPAN, WAIT, error_columns
from keybuzz.cli.support.context import format_option, show, stoppable_workspace
from keybuzz.cli.support.offers import recovery_words
from keybuzz.cli.support.typed_name import ask_typed, at_terminal
from keybuzz.model.core.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from keybuzz.site.module import Position


@click.command()
@click.argument("module", shell_complete=recovery_words)
@click.option(
    "--confirm", "typed", default="", metavar="NAME", help="The cluster's name; for scripts."
)
@click.option(
    "--from",
    "source",
    default="",
    metavar="HOST",
    help="Start from this member, whatever the positions prove; all others take a full copy of its data.",
)
@click.option(
    "--wait", type=WAIT, default=0.0, metavar="SECONDS", help="Wait for another run's lease."
)
@click.option(
    "--timeout",
    type=SPAN,
    default=3600.0,
    show_default=True,
    metavar="SECONDS",
    help="For all of it.",
)
@format_option
def recover(module: str, typed: str, source: str, wait: float, timeout: float, form: str) -> int:
    """Bring a cluster back after a total stop, from the one member that has everything.

    Refused while any member serves or one cannot be asked. Shows how far each member's data goes by its own engine,
    and starts the most advanced after the cluster's name was typed; the others join it one by one, and the data of
    all is compared. Where the positions do not prove which member has everything, the owner names it (--from). On hosts
    that were installed again with their data kept, the name is typed before their files and image are brought back.
    """
    from keybuzz.engine.change.recover import Operator
    from keybuzz.engine.change.recover import recover as recover_cluster

    with stoppable_workspace(quiet=form == "json") as work:
        report = recover_cluster(
            work, module, Operator(_show, _asking(typed), source), wait, timeout
        )
    return show(report, form)


def _show(positions: tuple[Position, ...], host: str) -> None:
    from keybuzz.report.screen.fit import fit
    from keybuzz.report.text.positions import positions_text

    click.echo(fit(positions_text(positions, host), error_columns()), err=True, nl=False)


def _asking(typed: str) -> Callable[[str, str], str]:
    def ask(cluster: str, purpose: str) -> str:
        if typed:
            return typed
        if not at_terminal():
            raise RefusedError(
                "the name of the cluster must be typed, and there is no terminal",
                where="recover",
                hint=f"it is typed {purpose}: --confirm {cluster}",
            )
        return ask_typed(f"Type the name of the cluster {purpose}")

    return ask
