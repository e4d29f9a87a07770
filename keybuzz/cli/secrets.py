"""`kbz secrets`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from keybuzz.cli.context import pass_site

if TYPE_CHECKING:
    from keybuzz.site.site import Site


@click.group()
def secrets() -> None:
    """The credential store (SEC-1). Values are never shown."""


@secrets.command()
@pass_site
def init(site: Site) -> None:
    """Create what is missing, generated; overwrite nothing."""
    from keybuzz.site.credentials import create_missing

    folder = site.settings.credentials
    created = create_missing(folder)
    for name in created:
        click.echo(f"created {name}")
    click.echo(f"{folder}: {len(created)} created, {len(site.credentials)} were there")
