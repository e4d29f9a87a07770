"""The services that have an official endpoint: what clients call them, and on which ports and schemes they speak."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """A cluster that applications use, as their configurations know it."""

    title: str
    group: str
    """Its servers, in groups.yaml."""
    ports: tuple[int, ...]
    """Ports of its endpoint; the first is the one that is meant when none is named."""
    proxies: str
    """The group that the endpoint leads to."""
    own_ports: frozenset[int]
    """Ports on which its servers answer, which its endpoint does not have."""
    schemes: frozenset[str]
    words: re.Pattern[str]
    """A word of a setting's name that means it."""


SERVICES = (
    Service(
        "PostgreSQL",
        "patroni",
        (5432, 6432),
        "haproxy",
        frozenset({5433, 8008}),
        frozenset(
            {"postgres", "postgresql", "pgsql", "psql", "pg", "postgis", "pgx", "timescaledb"}
        ),
        re.compile(r"postgres\w*|pg|pgsql|psql|pghost\w*|pgport|pgbouncer|postgis|pgvector|pg_\w+"),
    ),
    Service(
        "Redis",
        "redis",
        (6379,),
        "haproxy",
        frozenset({26379, 16379}),
        frozenset({"redis", "rediss", "valkey", "unix+redis", "redis-sentinel", "sentinel"}),
        re.compile(r"redis\w*|valkey\w*|sentinel"),
    ),
    Service(
        "RabbitMQ",
        "rabbitmq",
        (5672,),
        "haproxy",
        frozenset({5671, 15672, 25672, 4369, 15692}),
        frozenset({"amqp", "amqps", "pyamqp", "rabbitmq", "kombu"}),
        re.compile(r"rabbit\w*|amqp\w*|rmq"),
    ),
    Service(
        "MariaDB",
        "galera",
        (3306,),
        "proxysql",
        frozenset({6033, 6032, 33060, 4567}),
        frozenset({"mysql", "mysqli", "mariadb", "mysql2", "mysqlx", "pymysql"}),
        re.compile(r"mysql\w*|mariadb\w*|maria"),
    ),
    Service(
        "MinIO",
        "minio",
        (9000,),
        "minio",
        frozenset({9001, 9090}),
        frozenset({"s3", "minio"}),
        re.compile(r"minio\w*|s3\w*"),
    ),
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name in any style, in small letters: `dbHost`, `DB_HOST`, `db-host`."""
    return tuple(
        word.lower()
        for part in re.split(r"[^A-Za-z0-9]+", name)
        for word in (_WORDS.findall(re.sub(r"(?<=[A-Za-z])\d+", "", part)) if part else ())
    )


def by_words(words: tuple[str, ...]) -> Service | None:
    """Return the service that the last telling word means, or None."""
    for word in reversed(words):
        for service in SERVICES:
            if service.words.fullmatch(word):
                return service
    return None


def by_scheme(scheme: str) -> Service | None:
    """Return the service of a URL's scheme or of a driver's name, such as `postgresql+psycopg`."""
    for part in re.split(r"[+._:]", scheme.lower()):
        for service in SERVICES:
            if part in service.schemes:
                return service
    return None


def by_port(port: int | None) -> Service | None:
    """Return the service that answers on a port, by its endpoint or by its servers, or None."""
    return next((s for s in SERVICES if port in s.ports or port in s.own_ports), None)
