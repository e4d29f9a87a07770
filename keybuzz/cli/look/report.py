"""`kbz report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keybuzz.cli.support.context import limit_option, load_inventory, workspace
from keybuzz.cli.support.offers import module_words
from keybuzz.cli.support.output import require_place, write_whole
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import InputError, UsageError
from keybuzz.site.files.problems import read_file

if TYPE_CHECKING:
    from keybuzz.engine.memory.journal import Journal
    from keybuzz.report.page.remembered import Memory
    from keybuzz.site.site import Site

_LARGEST = 64 << 20
"""Bytes of such a document."""
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("modules", nargs=-1, shell_complete=module_words)
@limit_option
@click.option("--html", "page", type=_FILE, required=True, help="The page: one file, nothing else.")
@click.option(
    "--from-journal",
    is_flag=True,
    help="Ask no host: show what is remembered, and the last known health.",
)
@click.option(
    "--health",
    "given",
    type=_FILE,
    help="Ask no host: show this answer of `kbz health --format json`.",
)
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    metavar="N",
    help="How many runs to show.",
)
def report(
    modules: tuple[str, ...],
    limit: tuple[str, ...],
    page: Path,
    given: Path | None,
    last: int,
    *,
    from_journal: bool,
) -> int:
    """Write one page with topology, health, drift over time and what drills cost.

    It asks the hosts as `kbz health` does, unless it is told not to. Exit codes are those of health; with
    --from-journal nothing is judged now, and it is 0.
    """
    from keybuzz.engine.memory.forgetful import LOOK_WAIT, open_journal
    from keybuzz.engine.memory.journal import Journal

    if (from_journal or given) and (modules or limit):
        raise UsageError("modules and --limit choose hosts to ask, and no host is asked")
    if from_journal and given:
        raise UsageError("--from-journal and --health exclude each other")
    require_place(page)
    if from_journal:
        site = load_inventory()
        write_whole(page, _memory(site, last, Journal(_path(site))).page())
        code = 0
    elif given is not None:
        health = _read(given)
        site = load_inventory()
        journal = open_journal(_path(site), LOOK_WAIT)
        write_whole(page, _memory(site, last, journal).page_with(health, given.stat().st_mtime))
        if journal.trouble:
            click.echo(f"kbz: {journal.trouble}", err=True)
        code = int(health["exit_code"])
    else:
        code = _ask(page, modules, limit, last)
    click.echo(f"{page}: written", err=True)
    return code


def _ask(page: Path, modules: tuple[str, ...], limit: tuple[str, ...], last: int) -> int:
    from keybuzz.engine.catalogue import also, choose, named_only
    from keybuzz.engine.verbs import look
    from keybuzz.model.core.record import report_document

    names = modules or ("all",)
    with workspace(Access.LOOK, quiet=False) as work:
        chosen, named = choose(names, also(work.site)), named_only(names, also(work.site))
        found = look(work, "health", chosen, work.select(named, limit))
        write_whole(
            page, _memory(work.site, last, work.journal).page_with(report_document(found), None)
        )
    return int(found.exit_code)


def _path(site: Site) -> Path:
    return site.settings.state / "journal.sqlite"


def _memory(site: Site, last: int, journal: Journal) -> Memory:
    from keybuzz.cli.look.explain import meanings
    from keybuzz.engine.memory.journal_reader import DocumentsReader
    from keybuzz.report.page.remembered import Memory

    return Memory(site, journal, DocumentsReader(journal.path), meanings(), last)


def _read(path: Path) -> dict[str, Any]:
    """Return the document of a health check; InputError when it is something else."""
    try:
        document = json.loads(read_file(path, _LARGEST).decode("utf-8"))
    except ValueError as error:
        raise InputError(
            f"cannot be read: {error}",
            where=str(path),
            hint="kbz health --format json --output FILE makes one",
        ) from error
    wanted = ("findings", "plan", "hosts", "topologies", "checked", "exit_code", "error")
    if not isinstance(document, dict) or any(name not in document for name in wanted):
        raise InputError(
            "is no answer of kbz health",
            where=str(path),
            hint="kbz health --format json --output FILE makes one",
        )
    return document
