"""A row of servers.tsv, and the addresses that are not servers (facts/inventory.md)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address


@dataclass(frozen=True, slots=True)
class Server:
    """One server of the inventory, as typed as its row allows (CARD-1)."""

    name: str
    address: IPv4Address
    public_address: IPv4Address
    fqdn: str
    environment: str
    user: str
    pool: str
    role: str
    subrole: str
    stack: str
    core: bool
    notes: str
    line: int
    groups: tuple[str, ...] = ()
    """Names of the closed groups of groups.yaml that select this server, in group order."""
    region: str = ""
    """Where it is, for inventories with the optional column REGION; "" for those without."""


@dataclass(frozen=True, slots=True)
class VirtualAddress:
    """An address of the provider's load balancers (LB-1): never a host, never a bind."""

    name: str
    address: IPv4Address
    ports: tuple[int, ...]
    targets: tuple[str, ...]
