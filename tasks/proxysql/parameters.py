"""The parameters of site.yaml that module proxysql reads, and the rule that holds two of them together. Pure."""

from __future__ import annotations

from keybuzz.model.core.errors import InputError
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
SPARE = 20
"""Sessions that a node keeps for ProxySQL's monitors, kbz and its administrator."""


def connections_to_a_node(site: Site, proxies: int) -> int:
    """Return the limit of one proxy; InputError when all proxies together open more than the writer takes."""
    each, node = TO_A_NODE.of(site), OF_A_NODE.of(site)
    if proxies * each + SPARE > node:
        # A node that is full answers 1040, is shunned for it, and then no session finds a writer (facts/08).
        raise InputError(
            f"{proxies} ProxySQL with {each} sessions each, and {SPARE} to spare, are more than the {node} "
            "that a node takes",
            where=f"{TO_A_NODE.name} and {OF_A_NODE.name} in site.yaml",
            hint=f"lower {TO_A_NODE.name} to {max(1, (node - SPARE) // max(1, proxies))}, or raise {OF_A_NODE.name}",
        )
    return each
