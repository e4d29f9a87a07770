"""`kbz apps`: the applications of the platform, and the environment of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from keybuzz.cli.support.context import (
    format_option,
    load_inventory,
    load_site,
    show,
    stoppable_workspace,
)
from keybuzz.cli.support.offers import application_words, module_words, one_module_words
from keybuzz.cli.support.output import document_format, require_place, show_document
from keybuzz.cli.support.typed_name import confirm_option, require_typed
from keybuzz.model.core.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keybuzz.site.applications.described import Application
    from keybuzz.site.applications.variables import Variable
    from keybuzz.site.site import Site


class _Words(TypedDict):
    wait: float
    timeout: float
    lifted: tuple[str, ...]
    reason: str


@click.group()
def apps() -> None:
    """The applications of inventory/applications.yaml: what each may use, and its environment."""


@apps.command("list")
@document_format
def list_(form: str) -> None:
    """List the endpoints that each application may use, and what is its own there. Asks no host."""
    from keybuzz.report.text.applications import applications_document, applications_text
    from keybuzz.site.applications.uses import endpoints_of

    site = load_inventory()
    endpoints = endpoints_of(site.servers, site.catalogue)
    show_document(
        form,
        text=lambda: applications_text(site.applications, endpoints),
        document=lambda: applications_document(site.applications, endpoints),
    )


@apps.command()
@click.argument("name", shell_complete=application_words)
@click.option(
    "--format",
    "form",
    type=click.Choice(["dotenv", "kubernetes"]),
    default="dotenv",
    show_default=True,
    help="kubernetes: the env of a container, with secretKeyRef.",
)
@click.option(
    "--reveal-to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the secrets into FILE, 0600: the dotenv file, or the Secret for kubectl.",
)
def env(name: str, form: str, reveal_to: Path | None) -> None:
    """Print the environment of application NAME: official endpoints, and secrets by reference.

    No secret is printed. Asks no host.
    """
    from keybuzz.report.text.applications import dotenv, kubernetes
    from keybuzz.site.applications.environment import environment, needs_store
    from keybuzz.site.applications.uses import endpoints_of

    site = load_inventory()
    application = site.applications.named(name)
    if reveal_to is not None or needs_store(application):
        site = load_site(click.get_current_context().find_root().obj)
    endpoints = endpoints_of(site.servers, site.catalogue)
    variables = environment(application, endpoints, site.credentials)
    if reveal_to is None:
        write = dotenv if form == "dotenv" else kubernetes
        click.echo(write(application, variables), nl=False)
        return
    _reveal(site, application, variables, form, reveal_to)


@apps.command("remove-account")
@click.argument("module", shell_complete=module_words)
@click.argument("name")
@confirm_option
@click.option("--wait", default=0.0, metavar="SECONDS", help="Wait for another run's lease.")
@click.option("--timeout", default=600.0, show_default=True, metavar="SECONDS", help="For all.")
@click.option(
    "--lift-freeze",
    "lifted",
    multiple=True,
    metavar="MODULE",
    shell_complete=one_module_words,
    help="Let it be changed (FRZ-1).",
)
@click.option("--reason", default="", metavar="TEXT", help="Why the freeze is lifted; recorded.")
@format_option
def remove_account(
    module: str, name: str, confirm: str | None, form: str, **words: Unpack[_Words]
) -> int:
    """Remove account NAME from MODULE, such as a role of a database, where no file describes it.

    `kbz drift` reports such accounts with this command. What a file describes is refused, and so is a role that owns
    something. Databases, vhosts and buckets are data, which kbz never removes. The account's name must be typed.
    """
    from keybuzz.engine.change.remove_account import RemoveWords, require_module
    from keybuzz.engine.change.remove_account import remove_account as remove

    require_module(module)
    require_typed(name, confirm, f"{name} could log in to {module} no more")
    with stoppable_workspace(quiet=form == "json") as work:
        report = remove(work, RemoveWords(module, name, **words))
    return show(report, form)


def _reveal(
    site: Site, application: Application, variables: Iterable[Variable], form: str, place: Path
) -> None:
    from keybuzz.report.text.applications import dotenv_in_clear, kubernetes_secret
    from keybuzz.site.credentials.store import write_private

    require_place(place)
    _require_no_repository(place)
    write = dotenv_in_clear if form == "dotenv" else kubernetes_secret
    write_private(place, write(application, variables, site.secret).encode())
    click.echo(f"{place}: written, mode 0600; it holds the secrets of {application.name}")


def _require_no_repository(place: Path) -> None:
    """Raise RefusedError for a folder of a git repository: what is there is committed one day (SEC-2)."""
    for folder in place.resolve().parents:
        if (folder / ".git").exists():
            raise RefusedError(
                f"is in the git repository {folder}, where no secret may be (SEC-2)",
                where=str(place),
                hint="give a FILE elsewhere, such as /run/secrets/application.env",
            )
