"""MariaDB for those who use it: endpoint, protocol, credentials and where older ones lie. Data only."""

from __future__ import annotations

import re

from keybuzz.model.host.candidates import Places
from keybuzz.model.reports.drill import WorkloadKind
from keybuzz.site.applications.services import Service
from keybuzz.site.credentials.schema import Credential
from tasks.galera.service.offer import OFFER, PORT

SERVICE = Service(
    "MariaDB",
    "galera",
    (PORT,),
    "proxysql",
    frozenset({6033, 6032, 33060, 4567}),
    frozenset({"mysql", "mysqli", "mariadb", "mysql2", "mysqlx", "pymysql"}),
    re.compile(r"mysql\w*|mariadb\w*|maria"),
    is_database=True,
    offer=OFFER,
)

MYSQL = WorkloadKind("mysql", "pymysql", "PyMySQL", "tasks.galera.drill.client")
"""What clients speak, also through the entries to the cluster; for drills."""

_GALERA = ("galera",)
_PROXIED = ("galera", "proxysql")

CREDENTIALS = (
    Credential("MARIADB_ROOT_PASSWORD", "mariadb.env", "", _GALERA),
    Credential("MARIADB_APP_USER", "mariadb.env", "erpnext", _PROXIED),
    Credential("MARIADB_APP_PASSWORD", "mariadb.env", "", _PROXIED),
    Credential("MARIADB_DB", "mariadb.env", "erpnext", _PROXIED, aliases=("MARIADB_APP_DATABASE",)),
    Credential("GALERA_CLUSTER_NAME", "mariadb.env", "keybuzz-galera", _GALERA),
    Credential("MARIADB_SST_USER", "mariadb.env", "kb_sst", _GALERA),
    Credential("MARIADB_SST_PASSWORD", "mariadb.env", "", _GALERA),
    Credential(
        "MARIADB_MONITOR_USER", "mariadb.env", "kb_monitor", _PROXIED, weak=frozenset({"monitor"})
    ),
    Credential("MARIADB_MONITOR_PASSWORD", "mariadb.env", "", _PROXIED),
)

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
