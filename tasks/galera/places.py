"""Where older installations keep the credentials of this service, and what they left beside it. Pure values."""

from __future__ import annotations

from keybuzz.model.host.candidates import Places
from keybuzz.model.host.retired import retired

_CONF = "/opt/keybuzz/mariadb/con*/*.cnf"

PLACES = (
    Places("MARIADB_ROOT_PASSWORD", ("MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD")),
    Places("MARIADB_APP_USER", ("MARIADB_USER", "MYSQL_USER", "MARIADB_APP_USER")),
    Places("MARIADB_APP_PASSWORD", ("MARIADB_PASSWORD", "MYSQL_PASSWORD", "MARIADB_APP_PASSWORD")),
    Places("MARIADB_DB", ("MARIADB_DATABASE", "MYSQL_DATABASE", "MARIADB_DB")),
    Places(
        "GALERA_CLUSTER_NAME",
        ("MARIADB_GALERA_CLUSTER_NAME", "CLUSTER_NAME"),
        ("--wsrep-cluster-name", "--wsrep_cluster_name"),
        ((_CONF, r"^\s*wsrep[_-]cluster[_-]name\s*=\s*(\S+)"),),
    ),
    Places(
        "MARIADB_SST_USER",
        ("MARIADB_GALERA_MARIABACKUP_USER",),
        (),
        ((_CONF, r"^\s*wsrep[_-]sst[_-]auth\s*=\s*[\"']?([^:\s]+):"),),
    ),
    Places(
        "MARIADB_SST_PASSWORD",
        ("MARIADB_GALERA_MARIABACKUP_PASSWORD",),
        (),
        ((_CONF, r"^\s*wsrep[_-]sst[_-]auth\s*=\s*[\"']?[^:\s]+:(\S+)"),),
    ),
    Places("MARIADB_MONITOR_USER", ("MARIADB_REPLICATION_USER",)),
    Places("MARIADB_MONITOR_PASSWORD", ("MARIADB_REPLICATION_PASSWORD",)),
)

LEFTOVERS = retired(
    units=("mariadb-docker.service", "mariadb-galera.service"),
    files=("/tmp/mariadb.env",),
)
