"""`kbz workers`: the workers that the runner kbz_sharded lets ask."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keybuzz.cli.support.context import enter_lab, load_inventory, load_site
from keybuzz.cli.support.output import document_format, show_document
from keybuzz.model.core.outcome import ExitCode

if TYPE_CHECKING:
    from keybuzz.model.reports.workers import WorkerCheck
    from keybuzz.site.load import Configuration


@click.group()
def workers() -> None:
    """The workers that ask hosts for this machine, where runner.plugin is kbz_sharded."""


@workers.command()
@document_format
def status(form: str) -> int:
    """Show from where hosts are asked, and in how many shards. Asks no worker and no host."""
    from keybuzz.engine.shards.check import worker_places
    from keybuzz.report.screen.workers import places_document, places_text

    runner = _configuration().runner
    found = () if runner.sharded is None else worker_places(load_inventory(), runner.sharded)
    show_document(
        form,
        text=lambda: places_text(runner.plugin, found) + "\n",
        document=lambda: places_document(runner.plugin, found),
    )
    return ExitCode.GOOD


@workers.command()
@document_format
def check(form: str) -> int:
    """Start a worker at each place, and see that it is of the same kbz and the same site. Asks no host.

    Exit codes: 0 all are ready, 3 a worker refuses, 4 a place cannot be reached or a worker was lost.
    """
    from keybuzz.engine.shards.check import check as ask
    from keybuzz.engine.shards.check import worker_places
    from keybuzz.engine.shards.places import controller_of
    from keybuzz.model.reports.workers import exit_code
    from keybuzz.report.screen.workers import checks_document, checks_text

    configuration = _configuration()
    runner = configuration.runner
    checks: tuple[WorkerCheck, ...] = ()
    if runner.sharded is not None:
        site = load_site(click.get_current_context().find_root().obj)
        enter_lab(site)
        places = worker_places(site, runner.sharded)
        checks = ask(places, runner.sharded, controller_of(configuration, site))
    show_document(
        form,
        text=lambda: checks_text(runner.plugin, checks) + "\n",
        document=lambda: checks_document(runner.plugin, checks),
    )
    return exit_code(checks)


def _configuration() -> Configuration:
    from keybuzz.site.load import read_configuration

    return read_configuration(Path(click.get_current_context().find_root().obj))
