"""`kbz notify`: tries out the receivers of site.yaml, and tells them of units that failed."""

from __future__ import annotations

import click

from keybuzz.cli.support.context import load_site
from keybuzz.model.core.errors import ContactError, NothingToDoError, UsageError
from keybuzz.site.files.problems import nearest
from keybuzz.site.site import Site


@click.group()
def notify() -> None:
    """Tell the receivers under `notify` in site.yaml: try them out, or tell them of a unit that failed."""


@notify.command()
@click.argument("names", nargs=-1, metavar="[RECEIVER]...")
def test(names: tuple[str, ...]) -> int:
    """Send a test message to every receiver, or to those named. Exit 4 when one did not take it."""
    from keybuzz.engine.notify.teller import try_out

    site = _site()
    known = {receiver.name: receiver for receiver in site.settings.receivers}
    if unknown := sorted(set(names) - known.keys()):
        raise UsageError(f"no receiver is named {unknown[0]}", hint=nearest(unknown[0], known))
    if not known:
        raise NothingToDoError(
            "nothing is told: site.yaml has no section notify", hint="docs/how-to/be-told.md"
        )
    failed: list[str] = []
    for name in names or sorted(known):
        try:
            try_out(site, known[name])
            click.echo(f"{name} took a test message")
        except ContactError as error:
            click.echo(f"{error.where}: {error.sentence}", err=True)
            failed.append(name)
    if failed:
        raise ContactError(f"not told: {', '.join(failed)}", hint="the lines above say why")
    return 0


@notify.command()
@click.argument("unit")
def failed(unit: str) -> int:
    """Tell that a UNIT of systemd failed, such as kbz-drift.service. The units of the schedules call it."""
    from keybuzz.engine.notify.teller import unit_failed

    for warning in unit_failed(_site(), unit):
        click.echo(warning, err=True)
    return 0


def _site() -> Site:
    return load_site(click.get_current_context().find_root().obj)
