"""The credentials of ProxySQL in the store (SEC-1). Data only."""

from __future__ import annotations

from keybuzz.site.credentials.schema import Credential

CREDENTIALS = (
    Credential(
        "PROXYSQL_ADMIN_USER",
        "proxysql.env",
        "kb_proxysql",
        ("proxysql",),
        weak=frozenset({"admin", "radmin"}),
    ),
    Credential("PROXYSQL_ADMIN_PASSWORD", "proxysql.env", "", ("proxysql",)),
)
