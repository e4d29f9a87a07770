"""`kbz inventory`: who the servers are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keybuzz.cli.support.context import pass_inventory_site
from keybuzz.cli.support.offers import limit_words
from keybuzz.cli.support.output import document_format, show_document
from keybuzz.model.core.errors import UsageError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.report.text.inventory import (
    inventory_document,
    inventory_table,
    inventory_tree,
    secrets_document,
    secrets_text,
)
from keybuzz.site.limit import parse_limit
from keybuzz.site.site import Site

if TYPE_CHECKING:
    from keybuzz.policy.violation import Violation


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
def inventory(site: Site, limit: tuple[str, ...], tree: bool, form: str) -> int:
    """List the servers of inventory/servers.tsv, or those that --limit chooses.

    Exit 3 when a file of the site has a secret in it (SEC-2).
    """
    if tree and form == "json":
        raise UsageError("--tree and --format json exclude each other", hint="leave one out")
    names = parse_limit(limit, site.servers, site.catalogue)
    servers = tuple(server for server in site.servers if server.name in names)
    total = len(site.servers)
    draw = inventory_tree if tree else inventory_table
    found, unchecked = _secrets()
    show_document(
        form,
        text=lambda: draw(servers, site.catalogue, total) + "\n" + secrets_text(found, unchecked),
        document=lambda: (
            inventory_document(servers, site.catalogue, total) | secrets_document(found, unchecked)
        ),
    )
    return ExitCode.REFUSED if found else ExitCode.GOOD


def _secrets() -> tuple[tuple[Violation, ...], str]:
    """Return the secrets in the site's own files, or why they were not searched."""
    from datetime import UTC, datetime

    from keybuzz.policy.needs import missing_parsers
    from keybuzz.site.load import read_configuration

    missing = missing_parsers()
    if missing:
        return (), f"the extra `policy` is not installed ({', '.join(missing)})"
    from keybuzz.policy.own import own_secrets

    configuration = read_configuration(Path(click.get_current_context().find_root().obj))
    return own_secrets(configuration, datetime.now(UTC).date()), ""
