"""`kbz hosts ping`: a TCP connection to each host, over Nornir."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keybuzz.cli.support.context import absent_of, enter_lab
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import RefusedError
from keybuzz.site.limit import parse_limit

if TYPE_CHECKING:
    from keybuzz.model.reports.ping import PingReport


def asked(limit: tuple[str, ...], port: int) -> PingReport:
    """Connect to the port of each selected host. RefusedError where a bastion stands between: it would be asked."""
    from keybuzz.engine.nornir import make_nornir
    from keybuzz.engine.preflight.ping import ping
    from keybuzz.site.load import load_inventory_site, read_configuration

    configuration = read_configuration(Path(click.get_current_context().find_root().obj))
    if configuration.bastion:
        raise RefusedError(
            f"the hosts are reached through {configuration.bastion}, and not from this machine",
            where=f"{configuration.path}, inventory.options.bastion",
            hint="run it on the bastion, or kbz preflight, which logs in",
        )
    site = load_inventory_site(configuration)
    enter_lab(site)
    chosen = parse_limit(limit, site.servers, site.catalogue)
    nornir = make_nornir(configuration, site, Access.LOOK)
    selected = nornir.filter(filter_func=lambda host: host.name in chosen)
    return ping(selected, port, absent_of(site))
