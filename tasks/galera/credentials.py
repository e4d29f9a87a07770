"""The credentials of MariaDB Galera in the store (SEC-1). Data only."""

from __future__ import annotations

from keybuzz.site.credentials.schema import Credential

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
