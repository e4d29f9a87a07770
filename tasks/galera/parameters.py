"""The parameters of site.yaml that module galera reads."""

from __future__ import annotations

from keybuzz.site.parameters.forms import MARIADB_SIZE, Count
from keybuzz.site.parameters.parameter import Parameter

MAX_CONNECTIONS = Parameter(
    "galera.max_connections", Count(1, 100_000), "Sessions that one node takes (max_connections)."
)
BUFFER_POOL = Parameter(
    "galera.buffer_pool_size", MARIADB_SIZE, "Memory of InnoDB's buffer pool on one node."
)
LOG_FILE = Parameter("galera.log_file_size", MARIADB_SIZE, "Size of InnoDB's redo log on one node.")
GCACHE = Parameter(
    "galera.gcache_size",
    MARIADB_SIZE,
    "What a node that was away can catch up with without a copy of everything (gcache.size).",
)
PARAMETERS = (MAX_CONNECTIONS, BUFFER_POOL, LOG_FILE, GCACHE)
