"""Tables and defaults as ProxySQL 2.6.4 has them; only the variables that kbz uses."""

from __future__ import annotations

_SERVERS = """(hostgroup_id INT CHECK (hostgroup_id>=0) NOT NULL DEFAULT 0, hostname VARCHAR NOT NULL,
 port INT CHECK (port >= 0 AND port <= 65535) NOT NULL DEFAULT 3306, gtid_port INT NOT NULL DEFAULT 0,
 status VARCHAR CHECK (UPPER(status) IN ('ONLINE','SHUNNED','OFFLINE_SOFT','OFFLINE_HARD')) NOT NULL DEFAULT 'ONLINE',
 weight INT CHECK (weight >= 0 AND weight <= 10000000) NOT NULL DEFAULT 1, compression INT NOT NULL DEFAULT 0,
 max_connections INT CHECK (max_connections >= 0) NOT NULL DEFAULT 1000, max_replication_lag INT NOT NULL DEFAULT 0,
 use_ssl INT CHECK (use_ssl IN (0,1)) NOT NULL DEFAULT 0, max_latency_ms INT UNSIGNED NOT NULL DEFAULT 0,
 comment VARCHAR NOT NULL DEFAULT '', PRIMARY KEY (hostgroup_id, hostname, port))"""
_USERS = """(username VARCHAR NOT NULL, password VARCHAR, active INT CHECK (active IN (0,1)) NOT NULL DEFAULT 1,
 use_ssl INT NOT NULL DEFAULT 0, default_hostgroup INT NOT NULL DEFAULT 0, default_schema VARCHAR,
 schema_locked INT NOT NULL DEFAULT 0, transaction_persistent INT CHECK (transaction_persistent IN (0,1)) NOT NULL DEFAULT 1,
 fast_forward INT NOT NULL DEFAULT 0, backend INT CHECK (backend IN (0,1)) NOT NULL DEFAULT 1,
 frontend INT CHECK (frontend IN (0,1)) NOT NULL DEFAULT 1, max_connections INT CHECK (max_connections >=0) NOT NULL DEFAULT 10000,
 attributes VARCHAR NOT NULL DEFAULT '', comment VARCHAR NOT NULL DEFAULT '',
 PRIMARY KEY (username, backend), UNIQUE (username, frontend))"""
_RULES = """(rule_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, active INT CHECK (active IN (0,1)) NOT NULL DEFAULT 0,
 username VARCHAR, schemaname VARCHAR, flagIN INT NOT NULL DEFAULT 0, client_addr VARCHAR, proxy_addr VARCHAR,
 proxy_port INT, digest VARCHAR, match_digest VARCHAR, match_pattern VARCHAR, negate_match_pattern INT NOT NULL DEFAULT 0,
 re_modifiers VARCHAR DEFAULT 'CASELESS', flagOUT INT, replace_pattern VARCHAR, destination_hostgroup INT DEFAULT NULL,
 cache_ttl INT CHECK(cache_ttl > 0), cache_empty_result INT DEFAULT NULL, cache_timeout INT, reconnect INT DEFAULT NULL,
 timeout INT, retries INT, delay INT, next_query_flagIN INT, mirror_flagOUT INT, mirror_hostgroup INT, error_msg VARCHAR,
 OK_msg VARCHAR, sticky_conn INT, multiplex INT, gtid_from_hostgroup INT, log INT, apply INT CHECK(apply IN (0,1)) NOT NULL DEFAULT 0,
 attributes VARCHAR NOT NULL DEFAULT '', comment VARCHAR)"""
_GALERA = """(writer_hostgroup INT CHECK (writer_hostgroup>=0) NOT NULL PRIMARY KEY, backup_writer_hostgroup INT NOT NULL UNIQUE,
 reader_hostgroup INT NOT NULL UNIQUE, offline_hostgroup INT NOT NULL UNIQUE, active INT CHECK (active IN (0,1)) NOT NULL DEFAULT 1,
 max_writers INT NOT NULL CHECK (max_writers >= 0) DEFAULT 1,
 writer_is_also_reader INT CHECK (writer_is_also_reader IN (0,1,2)) NOT NULL DEFAULT 0,
 max_transactions_behind INT CHECK (max_transactions_behind>=0) NOT NULL DEFAULT 0, comment VARCHAR)"""
_VARIABLES = "(variable_name VARCHAR NOT NULL PRIMARY KEY, variable_value VARCHAR NOT NULL)"

_ATTRIBUTES = """(hostgroup_id INT NOT NULL PRIMARY KEY, max_num_online_servers INT NOT NULL DEFAULT 1000000,
 autocommit INT NOT NULL DEFAULT -1, free_connections_pct INT NOT NULL DEFAULT 10, init_connect VARCHAR NOT NULL DEFAULT '',
 multiplex INT NOT NULL DEFAULT 1, connection_warming INT NOT NULL DEFAULT 0,
 throttle_connections_per_sec INT NOT NULL DEFAULT 1000000, ignore_session_variables VARCHAR NOT NULL DEFAULT '',
 hostgroup_settings VARCHAR NOT NULL DEFAULT '', servers_defaults VARCHAR NOT NULL DEFAULT '', comment VARCHAR NOT NULL DEFAULT '')"""
_PROXIES = """(hostname VARCHAR NOT NULL, port INT NOT NULL DEFAULT 6032, weight INT NOT NULL DEFAULT 0,
 comment VARCHAR NOT NULL DEFAULT '', PRIMARY KEY (hostname, port))"""

TABLES = {
    "mysql_servers": _SERVERS,
    "mysql_users": _USERS,
    "mysql_query_rules": _RULES,
    "mysql_galera_hostgroups": _GALERA,
    "mysql_hostgroup_attributes": _ATTRIBUTES,
    "proxysql_servers": _PROXIES,
    "global_variables": _VARIABLES,
}
GALERA_LOG = """(hostname VARCHAR, port INT, time_start_us INT, success_time_us INT, primary_partition VARCHAR,
 read_only VARCHAR, wsrep_local_recv_queue INT, wsrep_local_state INT, wsrep_desync VARCHAR, wsrep_reject_queries VARCHAR,
 wsrep_sst_donor_rejects_queries VARCHAR, pxc_maint_mode VARCHAR, error VARCHAR)"""
CHECKSUMS = "(name VARCHAR NOT NULL PRIMARY KEY, version INT, epoch INT, checksum VARCHAR)"
POOL = """(hostgroup INT, srv_host VARCHAR, srv_port INT, status VARCHAR, ConnUsed INT, ConnFree INT, ConnOK INT,
 ConnERR INT, MaxConnUsed INT, Queries INT, Queries_GTID_sync INT, Bytes_data_sent INT, Bytes_data_recv INT, Latency_us INT)"""
GROUPS = {
    "MYSQL SERVERS": ("mysql_servers", "mysql_galera_hostgroups", "mysql_hostgroup_attributes"),
    "MYSQL USERS": ("mysql_users",),
    "MYSQL QUERY RULES": ("mysql_query_rules",),
    "PROXYSQL SERVERS": ("proxysql_servers",),
}
ACTIVE = ("mysql_users", "mysql_query_rules", "mysql_galera_hostgroups")
"""Only their active rows run."""
DEFAULTS = {
    "admin-admin_credentials": "admin:admin",
    "admin-stats_credentials": "stats:stats",
    "admin-mysql_ifaces": "0.0.0.0:6032",
    "admin-read_only": "false",
    "admin-refresh_interval": "2000",
    "admin-restapi_enabled": "false",
    "admin-web_enabled": "false",
    "mysql-threads": "4",
    "mysql-multiplexing": "true",
    "mysql-auto_increment_delay_multiplex": "5",
    "mysql-auto_increment_delay_multiplex_timeout_ms": "10000",
    "mysql-hostgroup_manager_verbose": "1",
    "mysql-connect_retries_on_failure": "10",
    "mysql-query_retries_on_failure": "1",
    "mysql-shun_on_failures": "5",
    "mysql-shun_recovery_time_sec": "10",
    "mysql-max_transaction_time": "14400000",
    "mysql-wait_timeout": "28800000",
    "mysql-monitor_ping_timeout": "1000",
    "mysql-monitor_ping_max_failures": "3",
    "mysql-max_connections": "10000",
    "mysql-default_query_timeout": "86400000",
    "mysql-server_version": "8.0.11",
    "mysql-interfaces": "0.0.0.0:6033",
    "mysql-monitor_username": "monitor",
    "mysql-monitor_password": "monitor",
    "mysql-monitor_enabled": "true",
    "mysql-monitor_connect_interval": "120000",
    "mysql-monitor_ping_interval": "8000",
    "mysql-monitor_galera_healthcheck_interval": "5000",
    "mysql-monitor_galera_healthcheck_timeout": "800",
    "mysql-monitor_galera_healthcheck_max_timeout_count": "3",
    "mysql-connect_timeout_server": "1000",
    "mysql-connect_timeout_server_max": "10000",
}
RANGES = {
    "mysql-monitor_galera_healthcheck_interval": (50, 604800000),
    "mysql-monitor_galera_healthcheck_timeout": (50, 600000),
    "mysql-monitor_galera_healthcheck_max_timeout_count": (1, 10),
    "mysql-connect_timeout_server_max": (10, 3600000),
}
FIXED = ("mysql-interfaces", "mysql-threads")
"""They can not change at runtime: LOAD puts the running value back."""
