"""`kbz run`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypedDict, Unpack

import click

from keybuzz.cli.change.pacing import consent, no_question, paced
from keybuzz.cli.support.common import SPAN, WAIT
from keybuzz.cli.support.context import format_option, limit_option, show, stoppable_workspace
from keybuzz.cli.support.modules import modules_argument
from keybuzz.cli.support.offers import one_module_words
from keybuzz.engine.pace.pace import Pace
from keybuzz.model.core.errors import UsageError


class RunWords(TypedDict):
    """Options that go into the request as they are."""

    limit: tuple[str, ...]
    everything: bool
    wait: float
    timeout: float
    lifted: tuple[str, ...]
    reason: str
    since: int
    pace: Pace
    beside: bool


@click.command()
@modules_argument()
@limit_option
@click.option("--all", "everything", is_flag=True, help="Select all clusters, without --limit.")
@click.option(
    "--plan",
    "saved",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Apply exactly this saved plan, or refuse.",
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
    help="For the whole run.",
)
@click.option(
    "--lift-freeze",
    "lifted",
    multiple=True,
    metavar="MODULE",
    shell_complete=one_module_words,
    help="Let this run change it (FRZ-1).",
)
@click.option("--reason", default="", metavar="TEXT", help="Why the freeze is lifted; recorded.")
@click.option("--since", default=0, hidden=True, help="Go on with that run of the journal.")
@paced
@click.option(
    "--side-by-side",
    "beside",
    is_flag=True,
    help="Take modules that share neither host nor gate at the same time.",
)
@click.option("--yes", is_flag=True, help="Interrupt running services without a question.")
@format_option
def run(
    modules: tuple[str, ...], saved: Path | None, form: str, yes: bool, **words: Unpack[RunWords]
) -> int:
    """Bring hosts to their description: stage by stage, behind gates, then prove it.

    Required modules come first (ORD-1, ORD-2). Nothing is deleted, no cluster is reset, no bootstrap is
    forced. On a terminal a run that would interrupt a running service shows its plan and asks. A change of sshd or the
    firewall goes to one host first, and to the others when that one answers a new connection.
    """
    if not modules and saved is None:
        raise UsageError("name a module, or --plan FILE", hint="kbz run base --limit db")
    from keybuzz.engine.change.requests import Words, from_names, from_plan
    from keybuzz.engine.change.run import run as run_request

    typed = Words(modules, **words)
    asks = no_question if yes else consent
    with stoppable_workspace(quiet=form == "json") as work:
        request = from_names(work, typed) if saved is None else from_plan(work, saved, typed)
        report = run_request(work, replace(request, consent=asks))
    return show(report, form)
