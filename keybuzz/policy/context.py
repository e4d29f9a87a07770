"""What the rules know about the site: who its nodes are, what is official, what is secret. Pure."""

from __future__ import annotations

import os
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from ipaddress import IPv4Address

from keybuzz.model.core.secret import DigestKey, Secret
from keybuzz.model.inventory.group import GroupCatalogue
from keybuzz.model.inventory.server import Server
from keybuzz.policy.applications import AnyApplication, Applications
from keybuzz.site.applications.services import Service, services
from keybuzz.site.credentials.schema import schema
from keybuzz.site.policies import Policies
from keybuzz.site.site import ImageVersion, Site

_SHORTEST_SECRET = 12


@dataclass(frozen=True, slots=True)
class KnownSecrets:
    """The values of the credential store as keyed digests; no clear value is kept."""

    key: DigestKey
    names: Mapping[int, Mapping[str, str]]
    """Length of the value in characters, to its digest, to its name."""

    salt: bytes
    marks: frozenset[int]
    """Sixteen bits of a salted sum of each value: what has none of them needs no digest, which is slow."""

    def name(self, text: str) -> str | None:
        """Return the name of the credential whose value this is, or None."""
        found = self.names.get(len(text))
        content = text.encode(errors="surrogatepass") if found else b""
        if not found or _mark(self.salt, content) not in self.marks:
            return None
        return found.get(self.key.digest(content))


def _mark(salt: bytes, content: bytes) -> int:
    return zlib.crc32(salt + content) & 0xFFFF


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that applications may use, with its ports (EP-1)."""

    address: IPv4Address
    ports: tuple[int, ...]
    targets: tuple[str, ...]
    """Groups of servers that it stands for."""
    on_server: bool = False
    """It is the address of a server itself, and no load balancer's."""


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that a rule may ask."""

    nodes: Mapping[str, str]
    """Address, host name, alias or domain name of a server, to the server's name."""
    node_pattern: re.Pattern[str]
    """Matches a key of `nodes` as a whole word; a longer domain name is another host."""
    host_pattern: re.Pattern[str]
    """Matches a server or an official address in the same way."""
    members: Mapping[str, tuple[Service, ...]]
    """Server's name, to the services with an endpoint that it is a part of; others are not in it."""
    official: Mapping[str, Endpoint]
    """The endpoint of a service, by its title."""
    endpoints: tuple[Endpoint, ...]
    words_of: Mapping[str, frozenset[str]]
    """Group of servers, to their addresses and names."""
    versions: Mapping[str, ImageVersion]
    policies: Policies
    today: date
    secrets: KnownSecrets | None = None
    """None when there is no credential store to compare with."""
    no_secrets: str = "no credentials were given"
    """Why there is none."""
    applications: Applications = field(default_factory=AnyApplication)
    """What each application may use."""

    def endpoint(self, address: IPv4Address) -> Endpoint | None:
        """Return the official endpoint of that address, or None."""
        return next((item for item in self.endpoints if item.address == address), None)


def context_of(site: Site, today: date) -> Context:
    """Return what the rules know of a site. Its secrets are kept as digests only."""
    return make_context(
        site.servers,
        site.catalogue,
        site.versions,
        site.policies,
        today,
        known_secrets(site.digest_key, site.credentials),
    )


def make_context(  # a function of the site's parts: without the whole of a site it works too
    servers: tuple[Server, ...],
    catalogue: GroupCatalogue,
    versions: Mapping[str, ImageVersion],
    policies: Policies,
    today: date,
    secrets: KnownSecrets | None = None,
) -> Context:
    """Return what the rules know of these parts of a site."""
    nodes, endpoints = _node_names(servers, catalogue), _endpoints(servers, catalogue)
    return Context(
        nodes=nodes,
        node_pattern=_pattern(nodes),
        host_pattern=_pattern([*nodes, *(str(endpoint.address) for endpoint in endpoints)]),
        members=_members(servers),
        official=_official(endpoints),
        endpoints=endpoints,
        words_of=_words_of(servers),
        versions=versions,
        policies=policies,
        today=today,
        secrets=secrets,
    )


def _words_of(servers: Iterable[Server]) -> dict[str, frozenset[str]]:
    """Return the addresses and names of the servers of each group."""
    found: dict[str, set[str]] = defaultdict(set)
    for server in servers:
        words = {str(server.address), str(server.public_address), server.name, server.fqdn}
        for group in server.groups:
            found[group] |= words
    return {group: frozenset(words) for group, words in found.items()}


def _members(servers: Iterable[Server]) -> dict[str, tuple[Service, ...]]:
    """Return the servers of each service: its own ones, and those that its endpoint leads to."""
    return {
        server.name: found
        for server in servers
        if (found := tuple(s for s in services() if {s.group, s.proxies} & set(server.groups)))
    }


def _official(endpoints: Iterable[Endpoint]) -> dict[str, Endpoint]:
    known = tuple(endpoints)
    return {
        service.title: endpoint
        for service in services()
        for endpoint in known
        if service.proxies in endpoint.targets
    }


def _pattern(nodes: Iterable[str]) -> re.Pattern[str]:
    names = "|".join(re.escape(name) for name in sorted(nodes, key=len, reverse=True))
    return re.compile(rf"(?<![\w.-])(?:{names})(?![\w-]|\.\w)", re.IGNORECASE)


def _node_names(servers: Iterable[Server], catalogue: GroupCatalogue) -> dict[str, str]:
    """Return every word that means a server, in lower case."""
    names: dict[str, str] = {}
    domains = {server.fqdn.partition(".")[2] for server in servers}
    for server in servers:
        short = {server.name} | {a.alias for a in catalogue.host_aliases if a.host == server.name}
        words = short | {f"{name}.{domain}" for name in short for domain in domains}
        words |= {str(server.address), str(server.public_address), server.fqdn}
        names.update({word.lower(): server.name for word in words})
    for excluded in catalogue.excluded:
        names[excluded.name] = excluded.name
    return names


def _endpoints(servers: tuple[Server, ...], catalogue: GroupCatalogue) -> tuple[Endpoint, ...]:
    """Return the load balancers' endpoints, and the servers that are one themselves."""
    found = [Endpoint(e.address, e.ports, e.targets) for e in catalogue.virtual_addresses]
    for service in services():
        members = [s for s in servers if service.entry and service.group in s.groups]
        members.sort(key=lambda server: server.name != service.entry)
        found += [
            Endpoint(server.address, service.ports, (service.group,), on_server=True)
            for server in members[:1]
        ]
    return tuple(found)


def known_secrets(key: DigestKey, credentials: Mapping[str, Secret]) -> KnownSecrets | None:
    """Return the digests of what is secret in the store, or None when it holds nothing of that kind.

    Names of users and databases stand in the store too; they are no secrets.
    """
    public = {credential.name for credential in schema() if credential.default}
    names: dict[int, dict[str, str]] = defaultdict(dict)
    salt = os.urandom(8)
    marks: set[int] = set()
    for name, secret in credentials.items():
        clear = secret.reveal()
        if name not in public and len(clear) >= _SHORTEST_SECRET:
            names[len(clear)][key.digest(clear.encode())] = name
            marks.add(_mark(salt, clear.encode()))
    return KnownSecrets(key, dict(names), salt, frozenset(marks)) if names else None
