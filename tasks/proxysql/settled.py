"""Columns and variables that change what ProxySQL does, at the values that facts/08 found in a server of 2.6.4. Pure.

Described so that a change by hand is drift. The first file leaves them out: a row gets them as its defaults.
"""

from __future__ import annotations

from tasks.proxysql.service.resources import NULL, Row

SERVER: Row = (
    ("gtid_port", "0"),
    ("status", "ONLINE"),
    ("compression", "0"),
    ("max_replication_lag", "0"),
    ("use_ssl", "0"),
    ("max_latency_ms", "0"),
    ("comment", ""),
)
SERVER_MOVED = ("status",)
"""The monitor sets them at runtime."""
USER: Row = (
    ("use_ssl", "0"),
    ("schema_locked", "0"),
    ("fast_forward", "0"),
    ("backend", "1"),
    ("frontend", "1"),
    ("attributes", ""),
    ("comment", ""),
)
USER_SPLIT = ("backend", "frontend", "attributes")
"""Runtime has two rows of each user, one for each side."""
RULE: Row = (
    ("username", NULL),
    ("schemaname", NULL),
    ("flagIN", "0"),
    ("client_addr", NULL),
    ("negate_match_pattern", "0"),
    ("flagOUT", NULL),
    ("replace_pattern", NULL),
    ("cache_ttl", NULL),
    ("timeout", NULL),
    ("delay", NULL),
    ("mirror_hostgroup", NULL),
    ("error_msg", NULL),
    ("OK_msg", NULL),
    ("multiplex", NULL),
)
RULE_PARSED = tuple(column for column, _ in RULE)
"""Runtime shows them as they were parsed; what is loaded comes from memory, where they are compared."""
HOSTGROUP_ATTRIBUTES = ("hostgroup_id", "init_connect", "multiplex")
PROXYSQL_SERVERS = ("hostname", "port", "weight")
"""A cluster of ProxySQL copies configurations from one to the other: none is described."""
MYSQL: Row = (
    ("mysql-monitor_enabled", "true"),
    ("mysql-monitor_ping_interval", "8000"),
    ("mysql-monitor_ping_timeout", "1000"),
    ("mysql-monitor_ping_max_failures", "3"),
    ("mysql-multiplexing", "true"),
    ("mysql-connect_timeout_server", "1000"),
    ("mysql-connect_timeout_server_max", "10000"),
    ("mysql-connect_retries_on_failure", "10"),
    ("mysql-query_retries_on_failure", "1"),
    ("mysql-shun_on_failures", "5"),
    ("mysql-shun_recovery_time_sec", "10"),
    ("mysql-max_transaction_time", "14400000"),
    ("mysql-wait_timeout", "28800000"),
)
ADMIN: Row = (
    ("admin-restapi_enabled", "false"),
    ("admin-web_enabled", "false"),
)
