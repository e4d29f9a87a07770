"""`kbz secrets`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import click

from keybuzz.cli.support.common import SPAN, WAIT
from keybuzz.cli.support.context import (
    format_option,
    holding,
    limit_option,
    load_inventory,
    pass_site,
    show,
    stoppable_workspace,
    workspace,
)
from keybuzz.cli.support.offers import one_module_words, rotation_words
from keybuzz.cli.support.output import document_format, report_format, show_answer, show_document
from keybuzz.cli.support.typed_name import confirm_option, require_typed
from keybuzz.model.core.access import Access

if TYPE_CHECKING:
    from keybuzz.engine.rotations import Known
    from keybuzz.site.credentials.file import StoreProblem
    from keybuzz.site.site import Site


class _Words(TypedDict):
    """Options of `rotate` that go into the request as they are."""

    keep_old: bool
    wait: float
    timeout: float
    lifted: tuple[str, ...]
    reason: str


@click.group()
def secrets() -> None:
    """The credential store (SEC-1). Values are never shown."""


@secrets.command()
@pass_site
def init(site: Site) -> None:
    """Create what is missing, generated; overwrite nothing."""
    from keybuzz.site.applications.credentials import schema_with
    from keybuzz.site.credentials.store import create_missing

    folder = site.settings.credentials
    with holding("secrets init", site.settings.state, site.root, site.servers, site.sources):
        created = create_missing(folder, schema_with(site.applications))
    for name in created:
        click.echo(f"created {name}")
    click.echo(f"{folder}: {len(created)} created, {len(site.credentials)} were there")


@secrets.command()
@report_format
def check(form: str) -> int:
    """Judge the store: modes, form, names, defaults, shared values. Exit 3 when something is wrong.

    It reads the files of the store and asks no server.
    """
    from keybuzz.model.core.outcome import ExitCode
    from keybuzz.report.page.sheets import sheet_of_store
    from keybuzz.site.applications.credentials import schema_with
    from keybuzz.site.applications.parse import load_applications
    from keybuzz.site.credentials.check import check_store
    from keybuzz.site.groups import load_groups
    from keybuzz.site.load import read_configuration
    from keybuzz.site.settings import load_settings

    configuration = read_configuration(Path(click.get_current_context().find_root().obj))
    root = configuration.path.resolve().parent
    folder = load_settings(root, configuration.site, configuration.overlay).credentials
    schema = schema_with(load_applications(configuration.applications))
    sizes = {group.name: group.expected for group in load_groups(configuration.groups).groups}
    found = check_store(folder, schema, sizes)
    broken = [problem for problem in found if not problem.warning]
    code = ExitCode.REFUSED if broken else ExitCode.GOOD
    return show_answer(
        form,
        text=lambda: _check_text(folder, found),
        document=lambda: _check_document(folder, found),
        sheet=lambda: sheet_of_store(found, int(code)),
    )


def _check_text(folder: Path, found: tuple[StoreProblem, ...]) -> str:
    lines = [f"{'warn' if problem.warning else 'broken':<8} {problem}" for problem in found]
    warned = sum(problem.warning for problem in found)
    lines.append(f"{folder}: {len(found) - warned} broken, {warned} warn; no value was shown")
    return "\n".join(lines) + "\n"


def _check_document(folder: Path, found: tuple[StoreProblem, ...]) -> dict[str, Any]:
    return {
        "format_version": 1,
        "verb": "secrets check",
        "store": str(folder),
        "sound": all(problem.warning for problem in found),
        "problems": [
            {
                "rule": problem.rule,
                "level": "warn" if problem.warning else "broken",
                "file": str(problem.path),
                "line": problem.line,
                "message": problem.what,
                "hint": problem.hint,
            }
            for problem in found
        ],
    }


@secrets.command("vault-plan")
@document_format
def vault_plan(form: str) -> None:
    """Print the path and the names for a later move to Vault (SEC-3); no value is read."""
    from keybuzz.site.applications.credentials import schema_with
    from keybuzz.site.applications.parse import load_applications
    from keybuzz.site.credentials.schema import vault_paths
    from keybuzz.site.load import read_configuration

    configuration = read_configuration(Path(click.get_current_context().find_root().obj))
    paths = vault_paths(schema_with(load_applications(configuration.applications)))
    show_document(form, text=lambda: _paths_text(paths), document=lambda: _paths_document(paths))


def _paths_text(paths: Mapping[str, tuple[str, ...]]) -> str:
    lines: list[str] = []
    for path, names in paths.items():
        lines += [path, *(f"  {name}" for name in names or ("(names are the application's)",))]
    return "".join(f"{line}\n" for line in lines)


def _paths_document(paths: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    found = [{"path": path, "names": list(names)} for path, names in paths.items()]
    return {"format_version": 1, "verb": "secrets vault-plan", "paths": found}


@secrets.command()
@limit_option
@report_format
def stray(limit: tuple[str, ...], form: str) -> int:
    """Find copies of credentials on hosts that must not have them. Exit 2 when there are some.

    The host compares keyed digests itself: no content leaves it. Nothing is deleted.
    """
    from keybuzz.engine.drift.secret_copies import find_copies
    from keybuzz.report.page.sheets import sheet_of_copies
    from keybuzz.report.text.secret_copies import copies_document, copies_text

    with workspace(Access.LOOK, quiet=form != "text") as work:
        report = find_copies(work, limit)
    return show_answer(
        form,
        text=lambda: copies_text(report),
        document=lambda: copies_document(report),
        sheet=lambda: sheet_of_copies(report),
    )


@secrets.command()
@document_format
def rotations(form: str) -> None:
    """List what can be rotated here: what each rotation changes, and which freezes must be lifted for it.

    It reads the site's files and asks no server; no value is read.
    """
    from keybuzz.engine.catalogue import settled
    from keybuzz.engine.rotations import offered

    known = offered(settled(load_inventory()))
    show_document(
        form, text=lambda: _rotations_text(known), document=lambda: _rotations_document(known)
    )


def _rotations_text(known: Sequence[Known]) -> str:
    lines: list[str] = []
    for item in known:
        needs = f"{item.lifts} --reason '…'" if item.frozen else "no lift"
        kept = "; can keep the old value" if item.rotation.keeps_old else ""
        lines += [
            item.rotation.service,
            f"  changes  {', then '.join(item.changes)}{kept}",
            f"  needs    {needs}",
            *([f"  stops    {item.rotation.outage}"] if item.rotation.outage else []),
        ]
    return "".join(f"{line}\n" for line in lines)


def _rotations_document(known: Sequence[Known]) -> dict[str, Any]:
    found = [
        {
            "service": item.rotation.service,
            "changes": list(item.changes),
            "lifts": list(item.frozen),
            "keeps_old": item.rotation.keeps_old,
            "outage": item.rotation.outage,
        }
        for item in known
    ]
    return {"format_version": 1, "verb": "secrets rotations", "rotations": found}


@secrets.command()
@click.argument("service", shell_complete=rotation_words)
@confirm_option
@click.option("--keep-old", is_flag=True, help="Stop before the old value is dropped.")
@click.option(
    "--wait", type=WAIT, default=0.0, metavar="SECONDS", help="Wait for another run's lease."
)
@click.option(
    "--timeout", type=SPAN, default=900.0, show_default=True, metavar="SECONDS", help="For all."
)
@click.option(
    "--lift-freeze",
    "lifted",
    multiple=True,
    metavar="MODULE",
    shell_complete=one_module_words,
    help="Let this rotation change it (FRZ-1).",
)
@click.option("--reason", default="", metavar="TEXT", help="Why the freeze is lifted; recorded.")
@format_option
def rotate(service: str, confirm: str | None, form: str, **words: Unpack[_Words]) -> int:
    """Bring in a new value of SERVICE, such as postgres-app, in the order that keeps the cluster working.

    The new value is kept beside the store, the cluster accepts it, a real login proves it, then the store
    is switched. With --keep-old a cluster that can take both values goes on to take the old one, so that
    applications can be given the new one; the same command without it ends the rotation. After an
    interruption the same command goes on. The service's name must be typed, because the old value is gone
    afterwards.

    Every frozen module that it changes must be lifted: `kbz secrets rotations` says which. Without the lifts
    a rotation is refused before anything is asked or made.
    """
    from keybuzz.engine.change.rotate import RotateWords, require_service
    from keybuzz.engine.change.rotate import rotate as rotate_service
    from keybuzz.engine.rotations import find_rotation

    site = load_inventory()
    require_service(site, service, words["lifted"], keep_old=words["keep_old"])
    stops = f"{outage}; " if (outage := find_rotation(site, service).rotation.outage) else ""
    lost = f"the value of {service} that is in use now would be no good any more"
    require_typed(service, confirm, f"{stops}{lost}")
    with stoppable_workspace(quiet=form == "json") as work:
        report = rotate_service(work, RotateWords(service, **words))
    return show(report, form)
