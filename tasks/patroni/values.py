"""The settled values of facts/03 for Patroni, typed: what the template and the description share."""

from __future__ import annotations

from dataclasses import dataclass

from keybuzz.model.core.secret import Secret
from keybuzz.model.inventory.server import Server
from keybuzz.site.site import Site
from tasks.patroni import parameters as declared
from tasks.patroni.service.resources import PostgresAccess

GROUP = "patroni"
CONTAINER = "patroni"
UID = 999
ROOT = "/opt/keybuzz"
DATA = f"{ROOT}/postgres/data"
RAFT = f"{ROOT}/postgres/raft"
ARCHIVE = f"{ROOT}/postgres/archive"
CONFIGURATION = f"{ROOT}/patroni/config"
REST_USER = "patroni"
NAMESPACE = "/db/"
RAFT_PORT = 7000

TTL = 30
LOOP_WAIT = 10
RETRY_TIMEOUT = 10
"""Since Patroni 3.2 loop_wait + 2 * retry_timeout must not exceed ttl (contradiction 25)."""
MAXIMUM_LAG = 1048576
"""Bytes that a replica may be behind and still be promoted."""
SHARED_MEMORY = 1 << 30
"""Bytes of /dev/shm at most: parallel workers share data there, and Docker's own 64 MiB are full with one join."""

_SHARED = (
    ("max_connections", "{patroni.max_connections}"),
    ("max_worker_processes", "8"),
    ("wal_level", "replica"),
    ("max_wal_senders", "10"),
    ("max_replication_slots", "10"),
    ("hot_standby", "on"),
    ("wal_keep_size", "{patroni.wal_keep_size}"),
)
"""Parameters that all members must have alike: they live in Patroni's store."""
_LOCAL = (
    ("shared_buffers", "{patroni.shared_buffers}"),
    ("effective_cache_size", "{patroni.effective_cache_size}"),
    ("maintenance_work_mem", "{patroni.maintenance_work_mem}"),
    ("checkpoint_completion_target", "0.9"),
    ("wal_buffers", "{patroni.wal_buffers}"),
    ("default_statistics_target", "100"),
    ("random_page_cost", "1.1"),
    ("effective_io_concurrency", "200"),
    ("work_mem", "{patroni.work_mem}"),
    ("min_wal_size", "{patroni.min_wal_size}"),
    ("max_wal_size", "{patroni.max_wal_size}"),
    ("max_parallel_workers_per_gather", "4"),
    ("max_parallel_workers", "8"),
    ("max_parallel_maintenance_workers", "4"),
)
SIZES = tuple(name for name, text in _LOCAL if text == f"{{patroni.{name}}}")
"""Those of them that site.yaml says."""

Parameters = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PatroniValues:
    """Every name of patroni.yml.j2."""

    scope: str
    name: str
    address: str
    partners: tuple[str, ...]
    network: str
    raft_directory: str
    rest_user: str
    rest_password: Secret
    superuser: str
    superuser_password: Secret
    replication_user: str
    replication_password: Secret
    rewind_user: str
    rewind_password: Secret
    ttl: int
    loop_wait: int
    retry_timeout: int
    maximum_lag_on_failover: int
    shared_parameters: Parameters
    local_parameters: Parameters


def shared_parameters(site: Site) -> Parameters:
    """Return the PostgreSQL parameters of Patroni's store."""
    return _filled(site, _SHARED)


def local_parameters(site: Site) -> Parameters:
    """Return the PostgreSQL parameters of patroni.yml."""
    libraries = declared.PRELOAD.of(site)
    preload = () if libraries == "none" else (("shared_preload_libraries", libraries),)
    return (*_filled(site, _LOCAL), *preload)


def _filled(site: Site, parameters: Parameters) -> Parameters:
    return tuple(
        (name, declared.text(site, value[1:-1]) if value.startswith("{") else value)
        for name, value in parameters
    )


def scope(site: Site) -> str:
    """Return the cluster's name: never changed on a live cluster (contradiction 26)."""
    return site.secret("PATRONI_CLUSTER_NAME").reveal()


def superuser(site: Site) -> str:
    """Return the superuser's name; there is no role `postgres` (facts/03)."""
    return site.secret("POSTGRES_SUPERUSER").reveal()


def asking(site: Site, select: str) -> tuple[str, ...]:
    """Return a command for PostgreSQL's container that asks with one SELECT, and cannot write."""
    return (
        *("env", "PGOPTIONS=-c default_transaction_read_only=on"),
        *("psql", "-h", "/var/run/postgresql", "-XqAt"),
        *("-U", superuser(site), "-d", "postgres", "-c", select),
    )


def values(site: Site, server: Server) -> PatroniValues:
    """Return the values of one member; its partners are all other members, never itself."""
    return PatroniValues(
        scope=scope(site),
        name=server.name,
        address=str(server.address),
        partners=tuple(
            str(member.address) for member in site.members(GROUP) if member.name != server.name
        ),
        network=declared.NETWORK.of(site),
        raft_directory=RAFT,
        rest_user=REST_USER,
        rest_password=site.secret("PATRONI_API_PASSWORD"),
        superuser=superuser(site),
        superuser_password=site.secret("POSTGRES_SUPERPASS"),
        replication_user=site.secret("POSTGRES_REPL_USER").reveal(),
        replication_password=site.secret("POSTGRES_REPL_PASS"),
        rewind_user=site.secret("POSTGRES_REWIND_USER").reveal(),
        rewind_password=site.secret("POSTGRES_REWIND_PASS"),
        ttl=TTL,
        loop_wait=LOOP_WAIT,
        retry_timeout=RETRY_TIMEOUT,
        maximum_lag_on_failover=MAXIMUM_LAG,
        shared_parameters=shared_parameters(site),
        local_parameters=local_parameters(site),
    )


def rest_url(server: Server) -> str:
    """Return the address of a node's REST interface, as its neighbours see it."""
    return f"http://{server.address}:8008"


def access(site: Site, server: Server) -> PostgresAccess:
    """Return how the agent of a member reaches its own PostgreSQL."""
    return PostgresAccess(CONTAINER, superuser(site), rest_url(server))
