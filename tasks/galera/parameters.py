"""The parameters of site.yaml that module galera reads."""

from __future__ import annotations

from keybuzz.site.parameters.forms import Count, Text
from keybuzz.site.parameters.parameter import Parameter

_SIZE = Text(r"[1-9][0-9]{0,14}[KMG]?", "a size in bytes, or with its unit, such as 1G")

MAX_CONNECTIONS = Parameter(
    "galera.max_connections", Count(1, 100_000), "Sessions that one node takes (max_connections)."
)
BUFFER_POOL = Parameter(
    "galera.buffer_pool_size", _SIZE, "Memory of InnoDB's buffer pool on one node."
)
LOG_FILE = Parameter("galera.log_file_size", _SIZE, "Size of InnoDB's redo log on one node.")
GCACHE = Parameter(
    "galera.gcache_size",
    _SIZE,
    "What a node that was away can catch up with without a copy of everything (gcache.size).",
)
PARAMETERS = (MAX_CONNECTIONS, BUFFER_POOL, LOG_FILE, GCACHE)
