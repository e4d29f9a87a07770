"""`kbz serve`."""

from __future__ import annotations

import _thread
import functools
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keybuzz.cli.support.context import pass_inventory_site
from keybuzz.engine.cuts import heard
from keybuzz.model.core.errors import KbzError
from keybuzz.model.core.visible import visible
from keybuzz.report.web.address import DEFAULT, Address, parse_address
from keybuzz.site.site import Site

if TYPE_CHECKING:
    from keybuzz.report.web.answers import Resources


@click.command()
@click.option(
    "--listen",
    default=DEFAULT,
    show_default=True,
    metavar="ADDRESS:PORT",
    help="Where to listen: at loopback, or at a private address of this machine that is named here.",
)
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    metavar="N",
    help="How many runs to show.",
)
@pass_inventory_site
def serve(site: Site, listen: str, last: int) -> int:
    """Serve the page of `kbz report`, and `/metrics` for Prometheus, from what the journal remembers.

    It asks no host and changes nothing. The health is that of the last `kbz health`, with its moment.
    Until Ctrl-C, SIGTERM or SIGHUP, which end it with 0.
    """
    from keybuzz.report.web.answers import answer
    from keybuzz.report.web.server import WebServer

    address = parse_address(listen)
    resources = _resources(site, last)
    decide = functools.partial(answer, resources=resources, names=address.names)
    with WebServer(address, decide) as server, _ended_by_signals(server.shutdown):
        _announce(server.address)
        server.serve()
    return 0


def _resources(site: Site, last: int) -> Resources:
    """Return what can be asked for. The journal is made where there is none yet, and from then on only read."""
    from keybuzz.cli.look.explain import meanings
    from keybuzz.engine.memory.documents import Documents
    from keybuzz.engine.memory.journal import Journal
    from keybuzz.engine.memory.journal_reader import DocumentsReader, JournalReader
    from keybuzz.report.page.remembered import Memory
    from keybuzz.report.web.answers import HTML, PROMETHEUS, TEXT, Resource

    path = Journal(site.settings.state / "journal.sqlite").path
    Documents(path)
    memory = Memory(site, JournalReader(path), DocumentsReader(path), meanings(), last)
    config = Path(click.get_current_context().find_root().obj)
    return {
        "/": Resource(HTML, _Told(memory.page, config)),
        "/metrics": Resource(PROMETHEUS, _Told(memory.metrics, config)),
        "/healthz": Resource(TEXT, lambda: "ok\n"),
    }


@dataclass(slots=True)
class _Told:
    """Makes a text. Whatever goes wrong is a KbzError: its sentence is for the client, stderr gets its place too.

    The same fault is told on stderr once, until something else is wrong or all is well again: a scraper comes often.
    """

    make: Callable[[], str]
    config: Path
    known: tuple[str, KbzError] | None = None
    """The last fault, and how it was told."""

    def __call__(self) -> str:
        try:
            text = self.make()
        except Exception as error:  # the edge: a client never sees a traceback
            found = self._explained(error)
            # A new one each time: an error that is raised again grows by its way here.
            raise KbzError(found.what, hint=found.hint) from error
        self.known = None
        return text

    def _explained(self, error: Exception) -> KbzError:
        from keybuzz.cli.support.faults import explain

        key = f"{type(error).__name__}: {error}"
        if self.known is None or self.known[0] != key:
            found = error if isinstance(error, KbzError) else explain(error, self.config)
            click.echo(visible(f"kbz serve: {found}"), err=True)
            self.known = (key, found)
            return found
        return self.known[1]


def _announce(address: Address) -> None:
    click.echo(f"serves http://{address}/ and http://{address}/metrics until Ctrl-C", err=True)
    if not address.local:
        click.echo(
            f"whoever reaches {address} reads, without a password and without encryption: the names of all servers, "
            "their health, what differs on them, and who ran what; no secret is in it",
            err=True,
        )


@contextmanager
def _ended_by_signals(shutdown: Callable[[], None]) -> Iterator[None]:
    """During the block Ctrl-C, TERM and HUP call `shutdown`, in a thread: it waits for the one that serves."""

    def handle(number: int, frame: object) -> None:
        _thread.start_new_thread(
            shutdown, ()
        )  # it takes no lock that the interrupted thread may hold

    before = {number: signal.signal(number, handle) for number in heard()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
