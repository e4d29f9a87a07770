"""`kbz restart`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from keybuzz.cli.change.pacing import paced_members
from keybuzz.cli.support.common import SPAN, WAIT
from keybuzz.cli.support.context import format_option, limit_option, show, stoppable_workspace
from keybuzz.cli.support.offers import module_or_host_words

if TYPE_CHECKING:
    from keybuzz.engine.pace.pace import Pace
    from keybuzz.engine.roll.restart import RestartRequest


@click.command()
@click.argument("word", metavar="MODULE|HOST", shell_complete=module_or_host_words)
@limit_option
@click.option("--reboot", is_flag=True, help="Reboot the module's hosts, not only its containers.")
@click.option("--all", "everything", is_flag=True, help="Select all clusters, without --limit.")
@click.option(
    "--wait", type=WAIT, default=0.0, metavar="SECONDS", help="Wait for another run's lease."
)
@click.option(
    "--timeout", type=SPAN, default=7200.0, show_default=True, metavar="SECONDS", help="For all."
)
@click.option("--since", default=0, hidden=True, help="Go on with that restart of the journal.")
@paced_members
@format_option
def restart(
    word: str,
    limit: tuple[str, ...],
    reboot: bool,
    everything: bool,
    wait: float,
    timeout: float,
    since: int,
    pace: Pace,
    form: str,
) -> int:
    """Restart the containers of a MODULE, or reboot a HOST, one member at a time.

    Every group that a host carries must be whole before and after each member; a leader comes last, after
    it has handed over, unless it is the canary. The first red stops it, and `kbz resume` goes on. No
    description changes, so that a frozen module may be restarted (FRZ-1).
    """
    from keybuzz.engine.roll.restart import restart as restart_all
    from keybuzz.engine.roll.restart_words import RestartWords, from_words

    words = RestartWords(word, limit, reboot, everything, wait, timeout, since, pace)
    with stoppable_workspace(quiet=form == "json") as work:
        request: RestartRequest = from_words(work, words)
        report = restart_all(work, request)
    return show(report, form)
