"""What the verbs share: the site, the workspace, options, and the way a report leaves."""

from __future__ import annotations

import functools
import logging
import shlex
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from keybuzz.cli.support.common import detail, form, is_quiet, json_option
from keybuzz.cli.support.offers import limit_words
from keybuzz.model.core.access import Access

if TYPE_CHECKING:
    from keybuzz.engine.events import Event
    from keybuzz.engine.workspace import Workspace
    from keybuzz.model.inventory.server import Server
    from keybuzz.model.reports.report import Report
    from keybuzz.report.text.progress import Detail, Lines
    from keybuzz.site.site import Site
    from keybuzz.site.sources import Sources

P = ParamSpec("P")
R = TypeVar("R")

_COMMAND = "keybuzz.command"
_LOG = logging.getLogger("keybuzz.events")

limit_option = click.option(
    "--limit",
    multiple=True,
    metavar="TERMS",
    shell_complete=limit_words,
    help="Hosts, globs, groups, role=…, @failed, @drifted, @unhealthy, !exclusions; separated by commas.",
)
_format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    callback=form,
    help="json: one document on stdout, and nothing else there.",
)


def format_option(function: Callable[P, R]) -> Callable[P, R]:
    """Give a verb `--format`, text or json, and `--json`."""
    return _format_option(json_option(function))


def load_site(config: str) -> Site:
    """Return the site of a nornir_config.yaml."""
    from keybuzz.engine.catalogue import settled
    from keybuzz.site.load import load_site as load
    from keybuzz.site.load import read_configuration

    return settled(load(read_configuration(Path(config))))


def pass_site(function: Callable[Concatenate[Site, P], R]) -> Callable[P, R]:
    """Give a command the site as its first argument."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(load_site(click.get_current_context().find_root().obj), *args, **kwargs)

    return wrapped


def pass_inventory_site(function: Callable[Concatenate[Site, P], R]) -> Callable[P, R]:
    """Pass the site without its secrets, so that users who cannot read them can still run the command."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(load_inventory(), *args, **kwargs)

    return wrapped


def load_inventory() -> Site:
    """Return the site without its secrets."""
    from keybuzz.site.load import load_inventory_site, read_configuration

    return load_inventory_site(
        read_configuration(Path(click.get_current_context().find_root().obj))
    )


def enter_lab(site: Site) -> None:
    """Move this process into the lab's network when the lab is the target, before any thread starts."""
    if site.settings.lab is not None:
        from keybuzz.lab.network.namespace import enter

        enter(site.settings.lab)


def set_command(line: str) -> None:
    """Say which command this process does in truth, for the lease and the journal, when it is not what was typed."""
    click.get_current_context().meta[_COMMAND] = line


def _command() -> str:
    typed = shlex.join(["kbz", *sys.argv[1:]])
    return str(click.get_current_context().meta.get(_COMMAND, typed))


@contextmanager
def holding(
    verb: str, state: Path, root: Path, servers: Iterable[Server], sources: Sources
) -> Iterator[None]:
    """Hold the leases of the servers' clusters, and keep the verb in the journal: for verbs without a workspace.

    RefusedError when `sources`, from which the servers are known, are others by then.
    """
    from keybuzz.engine.memory.lock import lease_names, leases

    with leases(state / "leases", lease_names(servers), _command()):
        sources.require_same()
        with recorded(verb, state, root):
            yield


@contextmanager
def recorded(verb: str, state: Path, root: Path, command: str = "") -> Iterator[None]:
    """Keep a verb in the journal, from before it does anything; `command` instead of what was typed."""
    from keybuzz.engine.memory.deeds import in_history

    with in_history(state / "journal.sqlite", verb, command or _command(), root) as deed:
        yield
    if deed.trouble:
        click.echo(deed.trouble, err=True)


@contextmanager
def stoppable_workspace(*, quiet: bool) -> Iterator[Workspace]:
    """Yield a workspace for a verb that changes hosts: the first Ctrl-C, TERM or HUP lets the steps at work end."""
    from keybuzz.cli.support.endings import first_one_stops

    with (
        workspace(Access.CHANGE, quiet=quiet) as made,
        first_one_stops(made.stop),
    ):
        yield made


@contextmanager
def workspace(access: Access, *, quiet: bool) -> Iterator[Workspace]:
    """Yield a workspace; its connections are closed at the end. The lab is entered when it is the target.

    No connection goes beyond `access`: with Access.LOOK the hosts themselves refuse whatever would change them.

    Ctrl-C, TERM and HUP are KeyboardInterrupt at once: a verb that only looks has nothing to bring to an end.
    """
    with _workspace(enter_lab, access, quiet=quiet) as made:
        yield made


@contextmanager
def workspace_without_hosts() -> Iterator[Workspace]:
    """Yield a workspace for a verb that asks no host: it needs no lab to be there, and reaches none."""
    with _workspace(lambda site: None, Access.LOOK, quiet=True) as made:
        yield made


@contextmanager
def _workspace(
    enter: Callable[[Site], None], access: Access, *, quiet: bool
) -> Iterator[Workspace]:
    from keybuzz.engine.catalogue import settled
    from keybuzz.engine.memory.forgetful import LOOK_WAIT, open_journal
    from keybuzz.engine.nornir import make_nornir
    from keybuzz.engine.workspace import Workspace
    from keybuzz.site.load import load_site, read_configuration

    configuration = read_configuration(Path(click.get_current_context().find_root().obj))
    site = settled(load_site(configuration))
    enter(site)
    progress = _Progress(quiet or is_quiet(), detail())
    nornir = make_nornir(configuration, site, access)
    made = Workspace(
        site,
        nornir,
        open_journal(site.settings.state / "journal.sqlite", LOOK_WAIT),
        progress,
        nornir.config.user_defined["redactor"].text(_command()),
        absent=absent_of(site),
    )
    try:
        yield made
    finally:
        with suppress(
            KeyboardInterrupt
        ):  # the verb has its answer: a signal cuts off what is closed, not that
            progress.close()
            _close(made)
        if made.journal.trouble:
            click.echo(f"kbz: {made.journal.trouble}", err=True)


def absent_of(site: Site) -> frozenset[str]:
    """Return the servers that were never started in the lab; none when the target is no lab."""
    if site.settings.lab is None:
        return frozenset()
    from keybuzz.lab.hosts.disk import never_made

    return never_made(site.settings.lab, site.servers)


class _Progress:
    """Loads what shows progress when there is some. Events come from any thread."""

    def __init__(self, quiet: bool, detail: Detail) -> None:
        self._quiet = quiet
        self._detail = detail
        self._shown: Lines | None = None
        self._loading = threading.Lock()

    def __call__(self, event: Event) -> None:
        with self._loading:
            if self._shown is None:
                from keybuzz.report.text.progress import listener

                self._shown = listener(quiet=self._quiet, detail=self._detail)
        self._shown(event)
        if _LOG.isEnabledFor(logging.DEBUG):
            from keybuzz.report.text.progress import sentence

            _LOG.debug("%s", sentence(event))

    def close(self) -> None:
        if self._shown is not None:
            self._shown.close()


def _close(made: Workspace) -> None:
    for host in made.nornir.inventory.hosts.values():
        for connection in list(host.connections.values()):
            connection.close()
        host.connections.clear()


def show(report: Report, form: str) -> int:
    """Give a report out, in any form and to where --output says, and return its exit code."""
    from keybuzz.cli.support.output import show_report

    return show_report(report, form)


def print_document(document: Mapping[str, Any]) -> None:
    """Print one JSON document."""
    from keybuzz.cli.support.output import document_text

    click.echo(document_text(document), nl=False)
