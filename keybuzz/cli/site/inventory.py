"""`kbz inventory`: who the servers are."""

from __future__ import annotations

import click

from keybuzz.cli.support.context import pass_inventory_site
from keybuzz.cli.support.offers import limit_words
from keybuzz.cli.support.output import document_format, show_document
from keybuzz.model.core.errors import UsageError
from keybuzz.report.text.inventory import inventory_document, inventory_table, inventory_tree
from keybuzz.site.limit import parse_limit
from keybuzz.site.site import Site


@click.command("inventory")
@click.option(
    "--limit",
    multiple=True,
    metavar="TERMS",
    shell_complete=limit_words,
    help="Hosts, groups, role=…, !exclusions.",
)
@click.option("--tree", is_flag=True, help="Draw a tree by module.")
@document_format
@pass_inventory_site
def inventory(site: Site, limit: tuple[str, ...], tree: bool, form: str) -> None:
    """List the servers of inventory/servers.tsv, or those that --limit chooses."""
    if tree and form == "json":
        raise UsageError("--tree and --format json exclude each other", hint="leave one out")
    names = parse_limit(limit, site.servers, site.catalogue)
    servers = tuple(server for server in site.servers if server.name in names)
    total = len(site.servers)
    draw = inventory_tree if tree else inventory_table
    show_document(
        form,
        text=lambda: draw(servers, site.catalogue, total) + "\n",
        document=lambda: inventory_document(servers, site.catalogue, total),
    )
