"""Where older installations keep the credentials of this service (facts/credentials.md). Pure values."""

from __future__ import annotations

from keybuzz.model.host.candidates import Places

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
