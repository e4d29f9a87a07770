"""`install`, `uninstall` and `status` of the verbs that can look on a schedule, and what their looks take for it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

from keybuzz.cli.support.common import WAIT
from keybuzz.cli.support.context import holding, limit_option, load_inventory
from keybuzz.cli.support.offers import module_words
from keybuzz.cli.support.output import report_format, show_answer

if TYPE_CHECKING:
    from keybuzz.engine.schedule.schedule import Schedule, Watch

P = ParamSpec("P")
Verb = Callable[..., int]

_into = click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("/"),
    help="Folder to write below instead of /; nothing is started then.",
)


def scheduled_options(function: Callable[P, int]) -> Callable[P, int]:
    """Give a verb that looks what its schedule calls it with."""
    options = (
        click.option(
            "--deadline",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help="Hosts that have not answered by then are unknown.",
        ),
        click.option(
            "--jitter",
            type=WAIT,
            default=0.0,
            metavar="SECONDS",
            help="Begin after a random part of this.",
        ),
        click.option(
            "--only-new",
            is_flag=True,
            help="Print only what came or went, and nothing when nothing did.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def wait_for_turn(jitter: float) -> None:
    """Wait a random part of a time in seconds, so that not all controllers ask at once."""
    time.sleep(random.uniform(0, jitter))


def add_schedule(group: click.Group, watch: Watch) -> None:
    """Give a group of commands `install`, `uninstall` and `status` for the schedule of its verb."""
    for name, command in (
        ("install", _installer(watch)),
        ("uninstall", _remover(watch)),
        ("status", _teller(watch)),
    ):
        group.command(name)(command)


def add_work(group: click.Group, watch: Watch) -> None:
    """Give a group of commands `install` and `uninstall` for a verb that works on a schedule; checks judge its work."""
    group.command("install")(_work_installer(watch))
    group.command("uninstall")(_remover(watch))


def _work_installer(watch: Watch) -> Verb:
    @_when_options(watch)
    @_how_options
    def install(every: str, jitter: int, program: str, only_show: bool, into: Path) -> int:
        """Install the schedule on this machine. Can be repeated: it writes only what differs, and says what.

        It calls the verb for all services. What goes wrong is mailed to root, by cron and by systemd alike.
        """
        from keybuzz.engine.schedule.schedule import Schedule

        config = Path(click.get_current_context().find_root().obj).resolve()
        wanted = Schedule(watch, config, (), (), every, jitter, watch.deadline)
        return _write(wanted, program, only_show, into)

    return install


def _write(wanted: Schedule, program: str, only_show: bool, into: Path) -> int:
    """Write the files of a schedule, or only show them."""
    from keybuzz.engine.schedule.placing import place, running_program
    from keybuzz.engine.schedule.schedule import files

    site = load_inventory()
    chosen = running_program() if program == "auto" else program
    if only_show:
        for path, text in files(wanted, chosen).items():
            click.echo(f"{into / path}:\n{text}")
        return 0
    verb = f"{wanted.watch.verb} install"
    with holding(verb, site.settings.state, site.root, site.members("controller"), site.sources):
        for line in place(wanted, chosen, into):
            click.echo(line)
    return 0


def _installer(watch: Watch) -> Verb:
    @_schedule_options(watch)
    def install(
        modules: tuple[str, ...],
        limit: tuple[str, ...],
        every: str,
        jitter: int,
        deadline: int,
        program: str,
        only_show: bool,
        into: Path,
    ) -> int:
        """Install the schedule on this machine. Can be repeated: it writes only what differs, and says what.

        What came or went is mailed to root, by cron and by systemd alike, and is a warning in the journal of systemd.
        """
        from keybuzz.engine.catalogue import choose
        from keybuzz.engine.schedule.schedule import Schedule

        load_inventory()
        choose(modules or ("all",))
        config = Path(click.get_current_context().find_root().obj).resolve()
        wanted = Schedule(watch, config, modules, limit, every, jitter, deadline)
        return _write(wanted, program, only_show, into)

    return install


def _schedule_options(watch: Watch) -> Callable[[Verb], Verb]:
    """Return what adds the options that say when and how a schedule looks."""

    def add(function: Verb) -> Verb:
        deadline = click.option(
            "--deadline",
            type=click.IntRange(min=1),
            default=watch.deadline,
            show_default=True,
            metavar="SECONDS",
            help="Hosts that have not answered by then are unknown; the run itself ends a minute later.",
        )
        modules = click.argument("modules", nargs=-1, shell_complete=module_words)
        return modules(limit_option(_when_options(watch)(deadline(_how_options(function)))))

    return add


def _when_options(watch: Watch) -> Callable[[Verb], Verb]:
    """Return what adds the options that say when a schedule begins."""
    from keybuzz.engine.schedule.schedule import EVERY, jitter_of

    options = (
        click.option(
            "--every", type=click.Choice(list(EVERY)), default=watch.every, show_default=True
        ),
        click.option(
            "--jitter",
            type=click.IntRange(min=0),
            default=jitter_of(watch.every),
            show_default=True,
            metavar="SECONDS",
            help="Each run begins after a random part of this.",
        ),
    )

    def add(function: Verb) -> Verb:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def _how_options(function: Verb) -> Verb:
    """Add the options that say by which program, and where it is written."""
    from keybuzz.engine.schedule.schedule import PROGRAMS

    options = (
        click.option(
            "--by",
            "program",
            type=click.Choice(["auto", *PROGRAMS]),
            default="auto",
            show_default=True,
            help="auto: systemd where it runs.",
        ),
        click.option("--show", "only_show", is_flag=True, help="Print what would be written."),
        _into,
    )
    for option in reversed(options):
        function = option(function)
    return function


def _remover(watch: Watch) -> Verb:
    @_into
    def uninstall(into: Path) -> int:
        """Remove the schedule; the journal is kept."""
        from keybuzz.engine.schedule.placing import take_away

        site = load_inventory()
        verb = f"{watch.verb} uninstall"
        with holding(
            verb, site.settings.state, site.root, site.members("controller"), site.sources
        ):
            for line in take_away(watch, into):
                click.echo(line)
        return 0

    return uninstall


def _teller(watch: Watch) -> Verb:
    @_into
    @report_format
    def status(into: Path, form: str) -> int:
        """Show the schedule, its last result and its next run.

        Exit 2 when nothing is scheduled, or when the last run is too long ago.
        """
        from keybuzz.engine.memory.journal import Journal
        from keybuzz.engine.schedule.standing import schedule_status
        from keybuzz.report.page.sheets import sheet_of_schedule
        from keybuzz.report.text.schedule import status_document, status_text

        journal = Journal(load_inventory().settings.state / "journal.sqlite")
        found = schedule_status(watch, journal, into, time.time())
        return show_answer(
            form,
            text=lambda: status_text(found) + "\n",
            document=lambda: status_document(found),
            sheet=lambda: sheet_of_schedule(found),
        )

    return status
