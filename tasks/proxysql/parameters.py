"""The parameters of site.yaml that module proxysql reads, and the rule that holds two of them together. Pure."""

from __future__ import annotations

from keybuzz.model.core.errors import RefusedError
from keybuzz.site.parameters.forms import Count
from keybuzz.site.parameters.parameter import Parameter
from keybuzz.site.site import Site

TO_A_NODE = Parameter(
    "proxysql.max_connections_to_a_node",
    Count(1, 100_000),
    "Sessions that one ProxySQL opens to one node of Galera; all of them go to the writer.",
    default="200",
)
OF_A_NODE = Parameter(
    "galera.max_connections", Count(1, 100_000), "Sessions that one node takes (max_connections)."
)
PARAMETERS = (TO_A_NODE,)
GROUP = "proxysql"
SPARE = 20
"""Sessions that a node keeps for ProxySQL's monitors, kbz and its administrator."""


def require_room(site: Site) -> None:
    """Raise RefusedError when all proxies together open more sessions than the node that is written to takes."""
    proxies = len(site.members(GROUP))
    each, node = TO_A_NODE.of(site), OF_A_NODE.of(site)
    if proxies * each + SPARE <= node:
        return
    # A node that is full answers 1040, is shunned for it, and then no session finds a writer (facts/08).
    raise RefusedError(
        f"{proxies} ProxySQL with {each} sessions each, and {SPARE} to spare, are more than the {node} "
        "that a node takes",
        where=f"{_written(site, TO_A_NODE)} and {_written(site, OF_A_NODE)}",
        hint=f"lower {TO_A_NODE.name} to {max(1, (node - SPARE) // max(1, proxies))}, or raise {OF_A_NODE.name}",
    )


def _written(site: Site, parameter: Parameter[int]) -> str:
    """Return where a value is written; one that is written nowhere has its default."""
    place = site.settings.places.get(parameter.name)
    return f"{place.file}:{place.line}" if place else f"{parameter.name} (default)"
