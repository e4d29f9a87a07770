"""What an application may use: its official endpoints, and what is its own behind them (EP-1). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keybuzz.model.inventory.group import GroupCatalogue
from keybuzz.model.inventory.server import Server
from keybuzz.site.applications.described import Application, Service

POSTGRES_PORT, POOL_PORT = 5432, 6432
_PORTS = {
    Service.POSTGRES: (POSTGRES_PORT, POOL_PORT),
    Service.MARIADB: (3306,),
    Service.RABBITMQ: (5672,),
    Service.REDIS: (6379,),
}
"""Ports of the provider's load balancers, by service (LB-1)."""
_S3_GROUP, _S3_ENTRY, _S3_PORT = "minio", "minio-01", 9000
"""The one entry point of the object store is a node (MIN-5)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One official address and port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


Endpoints = Mapping[tuple[Service, int], Endpoint]
"""By service and port."""


@dataclass(frozen=True, slots=True)
class Use:
    """One endpoint that an application may use, and what it may use there."""

    service: Service
    endpoint: Endpoint
    shared: bool = False
    """True when it comes in with the platform's own account."""
    places: tuple[str, ...] = ()
    """Databases, vhosts, buckets, or Redis' database or prefix; empty when it is shared."""
    users: tuple[str, ...] = ()


def endpoints_of(servers: Iterable[Server], catalogue: GroupCatalogue) -> Endpoints:
    """Return the official endpoints of a site, from the addresses of its load balancers."""
    found: dict[tuple[Service, int], Endpoint] = {}
    for service, ports in _PORTS.items():
        for entry in catalogue.virtual_addresses:
            for port in ports:
                if port in entry.ports:
                    found[service, port] = Endpoint(str(entry.address), port)
    stores = [server for server in servers if _S3_GROUP in server.groups]
    stores.sort(key=lambda server: (server.name != _S3_ENTRY, server.name))
    if stores:
        found[Service.BUCKETS, _S3_PORT] = Endpoint(str(stores[0].address), _S3_PORT)
    return found


def uses(application: Application, endpoints: Endpoints) -> tuple[Use, ...]:
    """Return everything that the application may use, endpoint by endpoint. All else is not for it.

    A database that may be reached through the pool may be reached directly too, as a migration needs it.
    """
    return tuple(
        use
        for service in application.services
        for (of, port), endpoint in endpoints.items()
        if of is service and (use := _use(application, service, port, endpoint)) is not None
    )


def _use(application: Application, service: Service, port: int, endpoint: Endpoint) -> Use | None:
    if service in application.shared:
        allowed = port != POOL_PORT or application.pool
        return Use(service, endpoint, shared=True) if allowed else None
    places, users = _own(application, service, port)
    return Use(service, endpoint, places=places, users=users) if places else None


def _own(
    application: Application, service: Service, port: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    match service:
        case Service.POSTGRES:
            found = [d for d in application.databases if d.pool or port != POOL_PORT]
            return tuple(d.name for d in found), tuple(dict.fromkeys(d.user for d in found))
        case Service.MARIADB:
            sites = application.sites
            return tuple(s.name for s in sites), tuple(dict.fromkeys(s.user for s in sites))
        case Service.RABBITMQ:
            vhosts = application.vhosts
            return tuple(v.name for v in vhosts), tuple(dict.fromkeys(v.user for v in vhosts))
        case Service.REDIS:
            part = application.redis
            assert part is not None, "services says that it has one"
            return (part.prefix or str(part.database),), ()
        case Service.BUCKETS:
            return tuple(bucket.name for bucket in application.buckets), (application.store_user,)


def refusal(application: Application, endpoints: Endpoints, port: int) -> str:
    """Return why the application may not use the endpoint at a port of the platform; empty when it may."""
    may = {use.endpoint.port for use in uses(application, endpoints)}
    services = [service for service, number in endpoints if number == port]
    if port in may or not services:
        return ""
    if port == POOL_PORT and POSTGRES_PORT in may:
        return (
            f"{application.name} is described without the pool, in which prepared statements and"
            " `options=` break"
        )
    return f"{application.name} is described without {services[0].value}"
