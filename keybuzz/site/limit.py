"""`--limit`: the words that choose servers. A word that chooses no server is an error, never silence.

A selection is what the plain terms name together, minus what the terms with `!` name; with
exclusions only, it starts from everyone. Their order does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from ipaddress import IPv4Address

from keybuzz.model.core.errors import NothingToDoError, UsageError
from keybuzz.model.inventory.group import GroupCatalogue
from keybuzz.model.inventory.server import Server
from keybuzz.site.files.problems import nearest, shown

OPTION = "--limit"
COLUMNS: Mapping[str, Callable[[Server], str]] = {
    "role": lambda server: server.role,
    "subrole": lambda server: server.subrole,
    "region": lambda server: server.region,
    "pool": lambda server: server.pool,
    "stack": lambda server: server.stack,
    "core": lambda server: "yes" if server.core else "no",
}
"""The keys of `key=value` terms; they compare with the columns of servers.tsv."""


def parse_limit(
    text: str | Sequence[str],
    servers: Sequence[Server],
    catalogue: GroupCatalogue,
    sets: Mapping[str, frozenset[str]] | None = None,
) -> frozenset[str]:
    """Return the names of the servers that the terms choose; with no term at all, everyone.

    Terms are separated by commas, or given as several texts: a host name, its alias or address, a
    glob, a group or its alias, `role=…` (subrole, region, pool, stack, core), `@set`, and `!` before any.
    Raises UsageError for an empty term, a term that chooses no server, and an empty selection. Only a
    known set may be empty by itself: "all but those that failed" holds when none has failed.
    """
    texts = [text] if isinstance(text, str) else text
    terms = [term.strip() for part in texts for term in part.split(",")]
    finder = _Finder(servers, catalogue, sets or {})
    chosen: set[str] = set()
    excluded: set[str] = set()
    for term in terms:
        if term.startswith("!"):
            excluded |= finder.hosts(term[1:].strip())
        else:
            chosen |= finder.hosts(term)
    if all(term.startswith("!") for term in terms):
        chosen = {server.name for server in servers}
    named = sorted({term for term in terms if term.startswith("@")})
    if not chosen and named and not any(term[:1] not in "@!" for term in terms):
        raise NothingToDoError(f"{', '.join(named)}: no host is in it; there is nothing to do")
    if not chosen - excluded:
        raise UsageError(
            f"{shown(','.join(terms))} leaves no server",
            where=OPTION,
            hint="kbz inventory shows the servers and their groups",
        )
    return frozenset(chosen - excluded)


class _Finder:
    """Finds the hosts of one term."""

    def __init__(
        self,
        servers: Sequence[Server],
        catalogue: GroupCatalogue,
        sets: Mapping[str, frozenset[str]],
    ) -> None:
        self._servers = servers
        self._catalogue = catalogue
        self._sets = sets
        self._names = frozenset(server.name for server in servers)

    def hosts(self, term: str) -> frozenset[str]:
        """Return the hosts that the term names: at least one, but for a known set."""
        if not term:
            raise UsageError("an empty term", where=OPTION, hint="name a host or a group")
        if term.startswith("@"):
            return self._in_set(term[1:])
        if "=" in term:
            return self._by_column(term)
        found = self._by_name(term) or self._by_address(term)
        if not found:
            raise self._unknown(term)
        return found

    def _in_set(self, name: str) -> frozenset[str]:
        if name not in self._sets:
            hint = nearest(name, self._sets) if self._sets else "no earlier run has left one"
            raise UsageError(f"no set is named @{name}", where=OPTION, hint=hint)
        return self._sets[name] & self._names

    def _by_column(self, term: str) -> frozenset[str]:
        key, _, value = term.partition("=")
        read = COLUMNS.get(key)
        if read is None:
            what = f"{shown(term)}: servers cannot be chosen by {shown(key)}"
            raise UsageError(what, where=OPTION, hint=nearest(key, COLUMNS))
        found = frozenset(s.name for s in self._servers if fnmatchcase(read(s), value))
        if not found:
            hint = nearest(value, (read(server) for server in self._servers))
            raise UsageError(f"no server has {shown(term)}", where=OPTION, hint=hint)
        return found

    def _by_name(self, term: str) -> frozenset[str]:
        group = self._catalogue.find(term)
        if group is not None:
            return frozenset(server.name for server in group.members(self._servers))
        aliases = {entry.alias: entry.host for entry in self._catalogue.host_aliases}
        known = {name: name for name in self._names} | aliases
        found = frozenset(host for name, host in known.items() if fnmatchcase(name, term))
        return found & self._names

    def _by_address(self, term: str) -> frozenset[str]:
        try:
            address = IPv4Address(term)
        except ValueError:
            return frozenset()
        return frozenset(s.name for s in self._servers if address in (s.address, s.public_address))

    def _unknown(self, term: str) -> UsageError:
        """Return the error for a term that names no server, with the best advice there is."""
        for balancer in self._catalogue.virtual_addresses:
            if term in (balancer.name, str(balancer.address)):
                return UsageError(
                    f"{term} is the load balancer {balancer.name}, not a server (LB-1)",
                    where=OPTION,
                    hint="use the servers behind it: " + ",".join(balancer.targets),
                )
        exclusion = self._catalogue.exclusion(term)
        if exclusion is not None:
            what = f"{term} is excluded by design: {exclusion.reason}"
            return UsageError(what, where=OPTION, hint="kbz manages the servers of servers.tsv")
        for key, read in COLUMNS.items():
            if any(read(server) == term for server in self._servers):
                what = f"{shown(term)} is a {key}, not a host or a group"
                return UsageError(what, where=OPTION, hint=f"write {key}={term}")
        words = {word for g in self._catalogue.groups for word in (g.name, *g.aliases)}
        words |= self._names | {entry.alias for entry in self._catalogue.host_aliases}
        hint = nearest(term, words)
        return UsageError(f"{shown(term)} matches no server", where=OPTION, hint=hint)
