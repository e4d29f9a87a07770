"""`kbz adopt`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keybuzz.cli.look.edits import difference, put_unchanged
from keybuzz.cli.support.common import columns
from keybuzz.cli.support.context import holding, limit_option, load_inventory, workspace
from keybuzz.cli.support.modules import modules_argument
from keybuzz.cli.support.output import document_format, show_document
from keybuzz.cli.support.typed_name import confirm_option, require_typed
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import UsageError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keybuzz.model.core.secret import Secret
    from keybuzz.model.reports.taking import Taking
    from keybuzz.site.module import Module


@click.command()
@modules_argument()
@limit_option
@click.option(
    "--take-credentials",
    is_flag=True,
    help="Put the credentials that the live service of one MODULE uses into the store; its name must be typed.",
)
@click.option(
    "--take-settings",
    is_flag=True,
    help="Put the settled values that the live service of one MODULE has into site.yaml; its name must be typed.",
)
@confirm_option
@document_format
def adopt(
    modules: tuple[str, ...],
    limit: tuple[str, ...],
    take_credentials: bool,
    take_settings: bool,
    confirm: str | None,
    form: str,
) -> int:
    """Say what it takes to bring what runs to its description. Changes nothing on a host.

    For each difference: whether it takes effect without a restart, needs a restart, or needs a decision; and what a
    run would refuse, with the way out. Exit codes: 0 everything is as described, 2 it is not, 4 a host could not be
    asked.

    With --take-credentials the credentials that an older installation left in arguments, variables and files of its
    containers are tried by real logins on every member. Those that all members accept are put into the credential
    store once the module's name is typed. No value is shown.

    With --take-settings the values that the live service has, such as its max_connections, are put into site.yaml: the
    change is shown as a diff, and written once the module's name is typed. Comments stay.
    """
    if take_credentials and take_settings:
        raise UsageError("take the credentials first, then the settings", hint="two commands")
    if take_settings:
        return _settle(modules, limit, confirm, form)
    if take_credentials:
        return _take(modules, limit, confirm, form)
    if confirm is not None:
        raise UsageError(
            "--confirm types the name for --take-credentials or --take-settings",
            hint="add one of them, or leave it out",
        )
    return _look(modules, limit, form)


def _look(modules: tuple[str, ...], limit: tuple[str, ...], form: str) -> int:
    from keybuzz.engine.adopt.adopt import adopt as look
    from keybuzz.engine.catalogue import also, choose, named_only
    from keybuzz.report.screen.adoption import adoption_document, adoption_text

    names = modules or ("all",)
    with workspace(Access.LOOK, quiet=form != "text") as work:
        chosen, named = choose(names, also(work.site)), named_only(names, also(work.site))
        found = look(work, chosen, work.select(named, limit))
    show_document(form, lambda: adoption_text(found), lambda: adoption_document(found))
    if found.unreachable:
        return int(ExitCode.UNREACHABLE)
    return int(ExitCode.GOOD if found.done else ExitCode.DIFFERENT)


def _take(modules: tuple[str, ...], limit: tuple[str, ...], confirm: str | None, form: str) -> int:
    from keybuzz.engine.adopt.take import take
    from keybuzz.engine.catalogue import named_only
    from keybuzz.report.screen.fit import fit
    from keybuzz.report.screen.taking import taking_document, taking_text

    chosen = named_only(modules)
    if len(chosen) != 1 or limit:
        raise UsageError(
            "--take-credentials takes one MODULE, and asks all of its members",
            hint=proposed("kbz", "adopt", _one_of(chosen), "--take-credentials"),
        )
    with workspace(Access.PROBE, quiet=form != "text") as work:
        found = take(work, chosen[0])
        known = work.site.credentials
    if found.taken and form == "text":
        click.echo(visible(fit(taking_text(found), columns())))
    if found.taken:
        files = sorted({item.file for item in found.taken})
        loss = (
            f"{len(found.taken)} values in {', '.join(files)} of the credential store are replaced"
        )
        require_typed(found.module, confirm, loss)
        _put(found, known)
    if form != "text" or not found.taken:
        show_document(
            form,
            lambda: taking_text(found),
            lambda: taking_document(found, written=bool(found.taken)),
        )
    elif found.taken:
        click.echo(f"the store has them now; next: {proposed('kbz', 'adopt', found.module)}")
    return int(ExitCode.DIFFERENT if found.left else ExitCode.GOOD)


def _settle(
    modules: tuple[str, ...], limit: tuple[str, ...], confirm: str | None, form: str
) -> int:
    from keybuzz.engine.adopt.settle import settle
    from keybuzz.engine.catalogue import named_only
    from keybuzz.report.screen.fit import fit
    from keybuzz.report.screen.settling import settling_document, settling_text
    from keybuzz.site.files.parameters import with_parameters
    from keybuzz.site.files.problems import read_file
    from keybuzz.site.load import LIMIT, read_configuration

    chosen = named_only(modules)
    if len(chosen) != 1 or limit:
        raise UsageError(
            "--take-settings takes one MODULE, and asks all of its members",
            hint=proposed("kbz", "adopt", _one_of(chosen), "--take-settings"),
        )
    path = read_configuration(Path(click.get_current_context().find_root().obj)).site
    before = read_file(path, LIMIT)
    with workspace(Access.LOOK, quiet=form != "text") as work:
        found = settle(work, chosen[0], str(path))
        site = work.site
    values = {item.name: item.live for item in found.taken}
    if found.taken and form == "text":
        # Before the file: what is found is told also where its form takes no value.
        click.echo(visible(fit(settling_text(found), columns())))
    if found.taken:
        after = with_parameters(before, str(path), values)
        if form == "text":
            click.echo(difference(before, after, path), nl=False)
        require_typed(found.module, confirm, f"{path.name} gets {len(values)} live values")
        with holding("take-settings", site.settings.state, site.root, site.servers, site.sources):
            put_unchanged(path, before, after)
    if form != "text" or not found.taken:
        show_document(
            form,
            lambda: settling_text(found),
            lambda: settling_document(found, written=bool(found.taken)),
        )
    elif found.taken:
        click.echo(
            f"{path.name} has them now; commit it. Next: {proposed('kbz', 'adopt', found.module)}"
        )
    return int(ExitCode.DIFFERENT if found.left else ExitCode.GOOD)


def _one_of(chosen: tuple[Module, ...]) -> str:
    """Return the module that was meant, or what to put in its place."""
    return chosen[0].name if chosen else "MODULE"


def _put(found: Taking, known: Mapping[str, Secret]) -> None:
    """Put the values into the store, unless it has changed since it was looked at."""
    from keybuzz.engine.adopt.take import require_unchanged
    from keybuzz.site.applications.credentials import schema_with
    from keybuzz.site.credentials.store import load_credentials, put_values

    site = load_inventory()
    schema = {item.name: item for item in schema_with(site.applications)}
    folder = site.settings.credentials
    with holding("take-credentials", site.settings.state, site.root, site.servers, site.sources):
        require_unchanged(folder, load_credentials(folder, schema.values()), known)
        put_values(folder, {schema[item.name]: item.value for item in found.taken})
