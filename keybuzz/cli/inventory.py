"""`kbz inventory`: who the servers are."""

from __future__ import annotations

import click

from keybuzz.cli.context import pass_inventory_site, print_document
from keybuzz.cli.offers import limit_words
from keybuzz.model.errors import UsageError
from keybuzz.report.inventory import inventory_document, inventory_table, inventory_tree
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
@click.option(
    "--format", "output", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@pass_inventory_site
def inventory(site: Site, limit: tuple[str, ...], tree: bool, output: str) -> None:
    """List the servers of inventory/servers.tsv, or those that --limit chooses."""
    if tree and output == "json":
        raise UsageError("--tree and --format json exclude each other", hint="leave one out")
    names = parse_limit(limit, site.servers, site.catalogue)
    servers = tuple(server for server in site.servers if server.name in names)
    total = len(site.servers)
    if output == "json":
        print_document(inventory_document(servers, site.catalogue, total))
        return
    draw = inventory_tree if tree else inventory_table
    click.echo(draw(servers, site.catalogue, total))
