"""The closed groups of the fleet: who belongs to them, how many, and what is not a server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from keybuzz.model.core.errors import InputError
from keybuzz.model.inventory.server import Server, VirtualAddress

SELECTABLE = {"ROLE": "role", "SUBROLE": "subrole", "DOCKER_STACK": "stack"}
"""Columns that a group may select by. POOL is not one of them: its pools mix services."""


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of servers with an exact size."""

    name: str
    title: str
    module: int
    """Number of the first module that needs it; the modules run in this order (ORD-1)."""
    select: tuple[tuple[str, str], ...]
    """Pairs of a column of servers.tsv and its value; all must match, no pair selects everyone."""
    expected: int
    aliases: tuple[str, ...]
    line: int

    def matches(self, server: Server) -> bool:
        """Return whether the server's columns are those of this group."""
        return all(getattr(server, SELECTABLE[column]) == value for column, value in self.select)

    def members(self, servers: Iterable[Server]) -> tuple[Server, ...]:
        """Return the servers of this group, by name."""
        found = (server for server in servers if self.matches(server))
        return tuple(sorted(found, key=lambda server: server.name))


@dataclass(frozen=True, slots=True)
class HostAlias:
    """Another name that is understood for a server; output always uses the server's own."""

    alias: str
    host: str
    line: int


@dataclass(frozen=True, slots=True)
class ExcludedHost:
    """A server that exists and is left alone by design."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words that ENV, ROLE and SUBROLE may hold."""

    environments: tuple[str, ...]
    roles: Mapping[str, tuple[str, ...]]
    """Each ROLE with the SUBROLEs that go with it."""


@dataclass(frozen=True, slots=True)
class GroupCatalogue:
    """Everything that inventory/groups.yaml says, checked."""

    groups: tuple[Group, ...]
    virtual_addresses: tuple[VirtualAddress, ...]
    excluded: tuple[ExcludedHost, ...]
    host_aliases: tuple[HostAlias, ...]
    vocabulary: Vocabulary
    source: str
    """The file, as messages name it."""

    def group(self, name: str) -> Group:
        """Return the group of that name or alias; InputError lists the names when it is none."""
        found = self.find(name)
        if found is None:
            names = ", ".join(group.name for group in self.groups)
            raise InputError(
                f"no group is named {name}", where=self.source, hint=f"use one of: {names}"
            )
        return found

    def find(self, name: str) -> Group | None:
        """Return the group of that name or alias, or None."""
        for group in self.groups:
            if name == group.name or name in group.aliases:
                return group
        return None

    def virtual(self, address: IPv4Address) -> VirtualAddress | None:
        """Return the load balancer that has this address, or None."""
        for entry in self.virtual_addresses:
            if entry.address == address:
                return entry
        return None

    def exclusion(self, name: str) -> ExcludedHost | None:
        """Return why this server is left alone, or None when it is not."""
        for entry in self.excluded:
            if entry.name == name:
                return entry
        return None

    def host_of(self, alias: str) -> str | None:
        """Return the name in servers.tsv that the alias stands for, or None."""
        for entry in self.host_aliases:
            if entry.alias == alias:
                return entry.host
        return None

    def names_of(self, server: Server) -> tuple[str, ...]:
        """Return the names of the groups that select the server, in the order of the file."""
        return tuple(group.name for group in self.groups if group.matches(server))
