"""Which hosts accept a connection on a port, by `tcp_ping` of nornir-utils: no login, no pinned key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keybuzz.model.reports.ping import Ping, PingReport

if TYPE_CHECKING:
    from nornir.core import Nornir

TIMEOUT = 2
"""Seconds for each host."""


def ping(nornir: Nornir, port: int, absent: frozenset[str]) -> PingReport:
    """Return the answer of every host of the Nornir object, in the order of the inventory.

    `absent` are servers that were never started in this lab: they are counted, and never asked.
    """
    from nornir_utils.plugins.tasks.networking import tcp_ping

    present = nornir.filter(filter_func=lambda host: host.name not in absent)
    results = present.run(task=tcp_ping, ports=[port], timeout=TIMEOUT)
    return PingReport(
        port,
        tuple(
            # A task that failed did not connect: an address that is none, no file handle left.
            Ping(name, str(host.hostname), not results[name].failed and results[name].result[port])
            for name, host in present.inventory.hosts.items()
        ),
        tuple(sorted(absent & set(nornir.inventory.hosts))),
    )
