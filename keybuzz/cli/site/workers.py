"""`kbz workers`: the workers that the runner kbz_sharded lets ask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from keybuzz.cli.support.context import enter_lab, load_inventory, load_site
from keybuzz.cli.support.output import document_format, show_document
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.inventory.shards import Tls

if TYPE_CHECKING:
    from keybuzz.model.reports.workers import WorkerCheck
    from keybuzz.site.load import Configuration

P = ParamSpec("P")
R = TypeVar("R")


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


_OF_A_POOL = (
    click.option(
        "--listen", required=True, metavar="HOST:PORT", help="Its own address, in its certificate."
    ),
    click.option("--ca", required=True, metavar="FILE", help="The CA of this pool alone."),
    click.option("--cert", required=True, metavar="FILE", help="Its certificate of that CA."),
    click.option("--key", required=True, metavar="FILE", help="Its key, readable by it alone."),
)


def _of_a_pool(function: Callable[P, R]) -> Callable[P, R]:
    for option in reversed(_OF_A_POOL):
        function = option(function)
    return function


@workers.command()
@_of_a_pool
def scheduler(listen: str, ca: str, cert: str, key: str) -> int:
    """Run the scheduler of a pool (back_end: dask), until it is stopped.

    It hands shards to the workers of their region, over TLS both ways, and each once. Asks no host.
    """
    from keybuzz.engine.shards.pool.programs import run_scheduler

    run_scheduler(_address(listen), _tls(ca, cert, key), click.echo)
    return ExitCode.GOOD


@workers.command()
@_of_a_pool
@click.option("--scheduler", required=True, metavar="HOST:PORT", help="The scheduler's address.")
@click.option("--region", required=True, help="The region whose hosts it asks.")
@click.option("--shards", default=2, show_default=True, type=click.IntRange(1, 64))
def serve(
    listen: str, ca: str, cert: str, key: str, scheduler: str, region: str, shards: int
) -> int:
    """Run a worker of a pool, until it is stopped or its scheduler is gone.

    For each shard it starts a process of this kbz with this configuration, which asks the hosts.
    """
    from keybuzz.engine.shards.pool.programs import run_worker
    from keybuzz.engine.shards.process import command

    config = Path(click.get_current_context().find_root().obj).resolve()
    run_worker(
        _address(scheduler),
        _address(listen),
        region,
        shards,
        _tls(ca, cert, key),
        command(str(config)),
        click.echo,
    )
    return ExitCode.GOOD


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise click.BadParameter(f"{text} is not HOST:PORT; it is always reached over TLS")
    return text


def _tls(ca: str, cert: str, key: str) -> Tls:
    return Tls(Path(ca), Path(cert), Path(key))


def _configuration() -> Configuration:
    from keybuzz.site.load import read_configuration

    return read_configuration(Path(click.get_current_context().find_root().obj))
