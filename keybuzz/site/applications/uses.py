"""What an application may use: its official endpoints, and what is its own behind them (EP-1). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keybuzz.model.inventory.group import GroupCatalogue
from keybuzz.model.inventory.server import Server
from keybuzz.site.applications.described import Application
from keybuzz.site.applications.offer import Offer
from keybuzz.site.applications.services import Service, offers, services
from keybuzz.site.applications.variables import Endpoint

Endpoints = Mapping[tuple[str, int], Endpoint]
"""By the service's key in applications.yaml, and port."""


@dataclass(frozen=True, slots=True)
class Use:
    """One endpoint that an application may use, and what it may use there."""

    service: str
    """Its key in applications.yaml."""
    endpoint: Endpoint
    shared: bool = False
    """True when it comes in with the platform's own account."""
    places: tuple[str, ...] = ()
    """Databases, vhosts, buckets, a prefix; empty when it is shared."""
    users: tuple[str, ...] = ()


def endpoints_of(servers: Iterable[Server], catalogue: GroupCatalogue) -> Endpoints:
    """Return the official endpoints of a site, from the addresses of its load balancers and its entry servers."""
    known = tuple(servers)
    return {
        (service.offer.key, port): Endpoint(host, port)
        for service in services()
        if service.offer is not None
        for port in service.ports
        for host in _hosts(service, port, known, catalogue)[-1:]
    }


def _hosts(
    service: Service, port: int, servers: tuple[Server, ...], catalogue: GroupCatalogue
) -> tuple[str, ...]:
    """Return the addresses where the port is; the last one counts."""
    if not service.entry:
        entries = (entry for entry in catalogue.virtual_addresses if port in entry.ports)
        return tuple(str(entry.address) for entry in entries)
    members = [server for server in servers if service.group in server.groups]
    members.sort(key=lambda server: (server.name != service.entry, server.name))
    return tuple(str(server.address) for server in members[:1])


def uses(application: Application, endpoints: Endpoints) -> tuple[Use, ...]:
    """Return everything that the application may use, endpoint by endpoint. All else is not for it.

    A database that may be reached through the pool may be reached directly too, as a migration needs it.
    """
    return tuple(
        use
        for offer in offers()
        for (key, port), endpoint in endpoints.items()
        if key == offer.key and (use := _use(application, offer, port, endpoint)) is not None
    )


def _use(application: Application, offer: Offer, port: int, endpoint: Endpoint) -> Use | None:
    if offer.key in application.shared:
        opened = offer.shared[application.shared[offer.key]]
        return Use(offer.key, endpoint, shared=True) if port in opened else None
    found = [
        part
        for part in application.own.get(offer.key, ())
        if offer.ports_of is None or port in offer.ports_of(part)
    ]
    users = tuple(dict.fromkeys(part.user for part in found if part.user))
    places = tuple(part.name for part in found)
    return Use(offer.key, endpoint, places=places, users=users) if found else None


def refusal(application: Application, endpoints: Endpoints, port: int) -> str:
    """Return why the application may not use the endpoint at a port of the platform; empty when it may."""
    may = {use.endpoint.port for use in uses(application, endpoints)}
    keys = [key for key, number in endpoints if number == port]
    if port in may or not keys:
        return ""
    for offer in offers():
        if offer.key in keys and port in offer.closed and application.uses(offer.key):
            return f"{application.name} is described {offer.closed[port]}"
    return f"{application.name} is described without {keys[0]}"
