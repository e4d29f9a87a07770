"""The parameters of site.yaml that module patroni reads; PostgreSQL's documentation explains each by its own name."""

from __future__ import annotations

from keybuzz.site.parameters.forms import Count, Text
from keybuzz.site.parameters.parameter import Parameter
from keybuzz.site.site import Site

_SIZE = Text(r"[1-9][0-9]{0,8}(kB|MB|GB|TB)", "a size with its unit, such as 256MB")

MAX_CONNECTIONS = Parameter(
    "patroni.max_connections", Count(10, 10_000), "Sessions that PostgreSQL takes."
)
PRELOAD = Parameter(
    "patroni.preload_libraries",
    Text(r"[a-z0-9_$/.-]+(,[a-z0-9_$/.-]+)*", "names of libraries separated by commas, or none"),
    "shared_preload_libraries of PostgreSQL; none: no library.",
    "none",
)


def _size(name: str, meaning: str) -> Parameter[str]:
    return Parameter(f"patroni.{name}", _SIZE, meaning)


SIZES = (
    _size("shared_buffers", "Memory of PostgreSQL's shared buffers."),
    _size("effective_cache_size", "What the planner takes for cached."),
    _size("maintenance_work_mem", "Memory of VACUUM and of building an index."),
    _size("wal_buffers", "Memory for WAL that is not written yet."),
    _size("work_mem", "Memory of one sort or hash."),
    _size("min_wal_size", "WAL that is kept for reuse."),
    _size("max_wal_size", "WAL from one checkpoint to the next."),
    _size("wal_keep_size", "WAL that is kept for replicas without a slot."),
)
NETWORK = Parameter(
    "base.network",
    Text(r"[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}", "an IPv4 network, such as 10.0.0.0/16"),
    "The private network: its hosts may reach each other.",
)
PGVECTOR = Parameter(
    "patroni.pgvector",
    Text(r"[0-9][0-9A-Za-z.+~-]*", "a version of the package, such as 0.8.2-1.pgdg12+1"),
    "Version of PostgreSQL's package of pgvector that the Patroni image is built with.",
)
PARAMETERS = (NETWORK, MAX_CONNECTIONS, PRELOAD, PGVECTOR, *SIZES)
_BY_NAME = {parameter.name: parameter for parameter in SIZES}


def text(site: Site, name: str) -> str:
    """Return a value as postgresql.conf spells it."""
    if name == MAX_CONNECTIONS.name:
        return str(MAX_CONNECTIONS.of(site))
    return _BY_NAME[name].of(site)
