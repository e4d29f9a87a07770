"""What inventory/applications.yaml says: each application with what it needs of the platform. Pure values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from keybuzz.model.core.errors import InputError


class Service(Enum):
    """What an application can use; the values are the keys of applications.yaml."""

    POSTGRES = "postgres"
    MARIADB = "mariadb"
    RABBITMQ = "rabbitmq"
    REDIS = "redis"
    BUCKETS = "buckets"


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """A PostgreSQL database of one application, and the role that owns it."""

    name: str
    user: str
    extensions: tuple[str, ...] = ()
    pool: bool = False
    """True when its clients go through the pool on 6432: no prepared statements, no `options=`."""
    connections: int = 20
    """Most connections that the pool of each entry host opens for it."""
    line: int = 0


@dataclass(frozen=True, slots=True)
class MariadbDatabase:
    """A MariaDB database of one application (of ERPNext: one site), and the user who owns it."""

    name: str
    user: str
    connections: int = 100
    """Most client connections that each ProxySQL accepts for the user."""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Vhost:
    """A virtual host of RabbitMQ, and the user who may do everything in it."""

    name: str
    user: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class RedisPart:
    """The part of Redis that an application keeps to: a database of its own, or a prefix of its keys."""

    database: int = 0
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of one application."""

    name: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Application:
    """One application."""

    name: str
    title: str
    shared: frozenset[Service] = frozenset()
    """Services that it uses by the platform's own account."""
    pool: bool = False
    """True when it uses the platform's own PostgreSQL account through the pool."""
    databases: tuple[PostgresDatabase, ...] = ()
    sites: tuple[MariadbDatabase, ...] = ()
    vhosts: tuple[Vhost, ...] = ()
    redis: RedisPart | None = None
    buckets: tuple[Bucket, ...] = ()
    line: int = 0

    @property
    def store_user(self) -> str:
        """Its user of the object store, as it is called where it has buckets: after the application itself."""
        return self.name.replace("-", "_")

    @property
    def services(self) -> tuple[Service, ...]:
        """Services that it may use, in the order of `Service`."""
        own = {
            Service.POSTGRES: bool(self.databases),
            Service.MARIADB: bool(self.sites),
            Service.RABBITMQ: bool(self.vhosts),
            Service.REDIS: self.redis is not None,
            Service.BUCKETS: bool(self.buckets),
        }
        return tuple(item for item in Service if item in self.shared or own[item])


@dataclass(frozen=True, slots=True)
class Applications:
    """All applications, in the order of the file."""

    items: tuple[Application, ...] = ()
    source: str = "applications.yaml"
    """The file, as messages name it."""

    def named(self, name: str) -> Application:
        """Return the application of that name; InputError with names that look like it."""
        from keybuzz.site.files.problems import nearest

        for item in self.items:
            if item.name == name:
                return item
        names = [item.name for item in self.items]
        hint = nearest(name, names) if names else "describe it there"
        raise InputError(f"no application is named {name}", where=self.source, hint=hint)

    def databases(self) -> Iterator[tuple[Application, PostgresDatabase]]:
        """Yield every PostgreSQL database with its application."""
        return ((item, found) for item in self.items for found in item.databases)

    def sites(self) -> Iterator[tuple[Application, MariadbDatabase]]:
        """Yield every MariaDB database with its application."""
        return ((item, found) for item in self.items for found in item.sites)

    def vhosts(self) -> Iterator[tuple[Application, Vhost]]:
        """Yield every virtual host of RabbitMQ with its application."""
        return ((item, found) for item in self.items for found in item.vhosts)

    def buckets(self) -> Iterator[tuple[Application, Bucket]]:
        """Yield every bucket with its application."""
        return ((item, found) for item in self.items for found in item.buckets)
