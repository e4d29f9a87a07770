"""ProxySQL for those who use it: endpoint, protocol, credentials and where older ones lie. Data only."""

from __future__ import annotations

from keybuzz.model.host.candidates import Places
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

_CONF = "/opt/keybuzz/proxysql/conf/*.cnf"

PLACES = (
    Places(
        "PROXYSQL_ADMIN_USER",
        ("PROXYSQL_ADMIN_USER",),
        (),
        ((_CONF, r'^\s*admin_credentials\s*=\s*"([^:;"]+):'),),
    ),
    Places(
        "PROXYSQL_ADMIN_PASSWORD",
        ("PROXYSQL_ADMIN_PASSWORD",),
        (),
        ((_CONF, r'^\s*admin_credentials\s*=\s*"[^:;"]+:([^;"]+)'),),
    ),
)
