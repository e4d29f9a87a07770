"""Which images stand in for the frozen ones where no container registry can be reached.

A stand-in has the reference and the interface of the real image (paths, user, environment, entry
point), and says in a label what it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from keybuzz.lab.hosts.recipe import IMAGE, IMAGE_13, BaseRecipe
from keybuzz.model.inventory.server import Server


@dataclass(frozen=True, slots=True)
class StandIn:
    """One image that the lab makes itself."""

    reference: str
    """The frozen reference that it answers to."""
    recipe: str
    """Folder below tasks/*/stand_in."""
    provenance: str
    """What it really is."""
    groups: tuple[str, ...]
    """Groups of groups.yaml whose servers need it."""
    debian: BaseRecipe = IMAGE
    """The Debian below it; its Dockerfile names it in FROM."""


STAND_INS = (
    StandIn(
        "postgres:16.4-bookworm",
        "postgres",
        "Debian 12 + PostgreSQL 16.2 from the PyPI wheel pgserver 0.1.4 "
        "(pgvector 0.6.2, no contrib)",
        ("patroni",),
    ),
    StandIn(
        "haproxy:2.8.5",
        "haproxy",
        # Nearer than 3.0 of Debian 13 in what matters: it refuses what 2.8 does not know either.
        "Debian 12 haproxy 2.6.12",
        ("haproxy",),
    ),
    StandIn(
        "edoburu/pgbouncer:v1.23.1-p3",
        "pgbouncer",
        "Debian 13 pgbouncer 1.24 (not musl)",
        ("haproxy",),
        IMAGE_13,
    ),
    StandIn("redis:7.2.5-alpine", "redis", "Debian 12 redis 7.0.15 (no musl)", ("redis",)),
    StandIn(
        "rabbitmq:3.12.14-management",
        "rabbitmq",
        # 3.10.8 of Debian 12 refuses default_queue_type in rabbitmq.conf.
        "Debian 13 rabbitmq-server 4.0.5 (no classic mirrored queues)",
        ("rabbitmq",),
        IMAGE_13,
    ),
    StandIn(
        "bitnamilegacy/mariadb-galera:10.11.6",
        "mariadb-galera",
        "Debian 12 mariadb-server 10.11 + galera-4, with entry scripts of our own (no mariabackup)",
        ("galera",),
    ),
    StandIn(
        "proxysql/proxysql:2.6.4",
        "proxysql",
        "a program of kbz in Python: real logins and real backends, no TLS, no prepared statements, "
        "no pool that sessions share; admin port and Galera monitor as far as kbz uses them",
        ("proxysql",),
    ),
    StandIn(
        "minio/minio:RELEASE.2024-10-02T17-50-41Z",
        "minio",
        "a program of kbz in Python: three nodes with a write quorum, format.json, health, admin info, and S3 "
        "as far as it is used here; whole copies instead of erasure coding, no multipart upload, no mc, no console",
        ("minio",),
    ),
)


def needed_by(servers: Iterable[Server]) -> tuple[StandIn, ...]:
    """Return the stand-ins that any of these servers needs, in the order of the table."""
    groups = {group for server in servers for group in server.groups}
    return tuple(stand_in for stand_in in STAND_INS if groups.intersection(stand_in.groups))
