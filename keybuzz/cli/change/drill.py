"""`kbz drill`."""

from __future__ import annotations

import json

import click

from keybuzz.cli.support.common import WAIT, columns
from keybuzz.cli.support.context import format_option, print_document, workspace
from keybuzz.cli.support.offers import archive_words, drill_words, host_words
from keybuzz.cli.support.typed_name import ask_typed, at_terminal
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.core.visible import visible
from keybuzz.model.reports.drill import DrillReport, Scenario

RESTORE = "restore"
"""The name of the drill that breaks nothing."""


@click.command()
@click.argument("name", shell_complete=drill_words)
@click.argument("service", required=False, default="", shell_complete=archive_words)
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    type=click.Choice([scenario.value for scenario in Scenario]),
    help="Only this; may be given several times. Without it: every one that applies.",
)
@click.option(
    "--host",
    shell_complete=host_words,
    default="",
    metavar="HOST",
    help="The victim; without it the leader.",
)
@click.option("--every-node", is_flag=True, help="All scenarios on every member, one by one.")
@click.option(
    "--confirm", default="", metavar="NAME", help="The drill's name again: something will break."
)
@click.option(
    "--wait", type=WAIT, default=0.0, metavar="SECONDS", help="Wait for another run's lease."
)
@format_option
def drill(
    name: str,
    service: str,
    scenarios: tuple[str, ...],
    host: str,
    every_node: bool,
    confirm: str,
    wait: float,
    form: str,
) -> int:
    """Break one member of NAME on purpose while writes go through its official endpoint.

    kbz drill restore SERVICE breaks nothing: it restores the newest backup of a service, or of all, into a scratch
    place on backup-01, counts what is in it, tells how long that took and how old the data is, and takes it away.

    NAME is a module, or the name of one of its drills. The cluster must be green. Every acknowledged write is in
    a ledger and is looked for afterwards; the time without one is measured. What was broken is restored in any
    case, also after Ctrl-C. Exit 0 when every trial recovered.
    """
    from keybuzz.cli.lab.lab_faults import faults_of, home_network
    from keybuzz.cli.support.endings import tell
    from keybuzz.engine.catalogue import all_modules
    from keybuzz.engine.drill.drill import DrillRequest, choose_drill
    from keybuzz.engine.drill.drill import drill as run_drill
    from keybuzz.engine.drill.shelter import stop_on_signals
    from keybuzz.engine.memory.documents import Documents
    from keybuzz.engine.memory.forgetful import read_or
    from keybuzz.report.text.drill import drill_document

    if name == RESTORE:
        others = bool(scenarios or host or every_node or confirm or wait)
        return _restore(service, form, others=others)
    if service:
        raise UsageError(f"a drill of {name} takes no {service!r}", hint="one name is enough")
    if host and every_node:
        raise UsageError("--host and --every-node exclude each other")
    choose_drill(name, all_modules())
    _require_confirmed(name, confirm)
    chosen = tuple(dict.fromkeys(Scenario(word) for word in scenarios))
    request = DrillRequest(name, chosen, host, every_node, wait)
    with (
        home_network() as home,
        workspace(Access.CHANGE, quiet=form == "json") as work,
        stop_on_signals(work.stop, tell),
    ):
        report = run_drill(work, request, faults_of(work.site, home))
        text = json.dumps(drill_document(report), ensure_ascii=False)
        read_or(work.journal, lambda: Documents(work.journal.path).keep(report.number, text), None)
    _show(report, form)
    return int(report.exit_code)


def _restore(service: str, form: str, *, others: bool) -> int:
    """Drill the restore of a service, or of all; each is told as soon as it has ended."""
    from keybuzz.cli.support.context import stoppable_workspace
    from keybuzz.engine.backup import drill as engine
    from keybuzz.report.screen.drilled import drilled_document, drilled_text

    if not service or others:
        raise UsageError(
            "kbz drill restore takes a service or all, and --format",
            hint="kbz drill restore all",
        )

    def tell(one: engine.Drilled) -> None:
        if form != "json":
            click.echo(drilled_text(one), nl=False)

    with stoppable_workspace(quiet=form == "json") as work:
        report = engine.drill(work, service, tell)
    if form == "json":
        print_document(drilled_document(report))
    return int(report.code)


def _require_confirmed(name: str, typed: str) -> None:
    """A drill breaks something on purpose: its name is typed twice, by --confirm or at a terminal."""
    if not typed:
        if not at_terminal():
            raise RefusedError(
                f"a drill of {name} breaks a member of it on purpose",
                where="kbz drill",
                hint=f"--confirm {name} says that you mean it",
            )
        typed = ask_typed(f"This breaks a member of {name} on purpose. Type its name")
    if typed != name:
        raise UsageError(f"{typed!r} is not {name}", hint="nothing was broken")


def _show(report: DrillReport, form: str) -> None:
    from keybuzz.report.screen.fit import fit
    from keybuzz.report.text.drill import drill_document, drill_text

    if form == "json":
        print_document(drill_document(report))
    else:
        click.echo(visible(fit(drill_text(report), columns())), nl=False)
