"""PostgreSQL for those who use it: endpoint, protocol, credentials and where older ones lie. Data only."""

from __future__ import annotations

import re

from keybuzz.model.host.candidates import Places
from keybuzz.model.reports.drill import WorkloadKind
from keybuzz.site.applications.services import Service
from keybuzz.site.credentials.schema import Credential
from tasks.patroni.service.offer import OFFER, POOL_PORT, PORT

SERVICE = Service(
    "PostgreSQL",
    "patroni",
    (PORT, POOL_PORT),
    "haproxy",
    frozenset({5433, 8008}),
    frozenset({"postgres", "postgresql", "pgsql", "psql", "pg", "postgis", "pgx", "timescaledb"}),
    re.compile(r"postgres\w*|pg|pgsql|psql|pghost\w*|pgport|pgbouncer|postgis|pgvector|pg_\w+"),
    is_database=True,
    offer=OFFER,
)

POSTGRESQL = WorkloadKind("postgresql", "psycopg", "psycopg[binary]", "tasks.patroni.drill.client")
"""What clients speak, also through the entries to the cluster; for drills."""

_PATRONI = ("patroni",)
_STREAMED = ("patroni", "backup")
"""The members create the role, Barman streams as it."""
_POOLED = ("patroni", "haproxy")
"""The members create the role, PgBouncer checks its clients against it."""

CREDENTIALS = (
    Credential("POSTGRES_SUPERUSER", "postgres.env", "kb_admin", _PATRONI),
    Credential("POSTGRES_SUPERPASS", "postgres.env", "", _PATRONI),
    Credential("POSTGRES_REPL_USER", "postgres.env", "kb_repl", _STREAMED),
    Credential("POSTGRES_REPL_PASS", "postgres.env", "", _STREAMED),
    Credential("POSTGRES_REWIND_USER", "postgres.env", "kb_rewind", _PATRONI),
    Credential("POSTGRES_REWIND_PASS", "postgres.env", "", _PATRONI),
    Credential("POSTGRES_APP_USER", "postgres.env", "kb_app", _POOLED),
    Credential("POSTGRES_APP_PASS", "postgres.env", "", _POOLED),
    Credential("POSTGRES_DB", "postgres.env", "keybuzz", _POOLED),
    Credential("PATRONI_CLUSTER_NAME", "postgres.env", "keybuzz-pg", _STREAMED),
    Credential("PATRONI_API_PASSWORD", "postgres.env", "", _STREAMED),
)

_FILES = ("/opt/keybuzz/patroni/*.yml", "/opt/keybuzz/patroni/*/*.yml", "/etc/patroni/*.yml")
_POOLER = "/etc/pgbouncer/userlist.txt"


def _in_files(line: str) -> tuple[tuple[str, str], ...]:
    return tuple((path, line) for path in _FILES)


def _account(user: str, password: str, section: str, variable: str) -> tuple[Places, Places]:
    """Return the places of one account of patroni.yml, which has its name above its password."""
    names = rf"^\s+{section}:\n\s+username:\s*(\S+)\n\s+password:"
    values = rf"^\s+{section}:\n\s+username:.*\n\s+password:\s*(.+)$"
    return (
        Places(user, (user, f"PATRONI_{variable}_USERNAME"), (), _in_files(names)),
        Places(password, (password, f"PATRONI_{variable}_PASSWORD"), (), _in_files(values)),
    )


PLACES = (
    *_account("POSTGRES_SUPERUSER", "POSTGRES_SUPERPASS", "superuser", "SUPERUSER"),
    *_account("POSTGRES_REPL_USER", "POSTGRES_REPL_PASS", "replication", "REPLICATION"),
    *_account("POSTGRES_REWIND_USER", "POSTGRES_REWIND_PASS", "rewind", "REWIND"),
    Places("POSTGRES_APP_PASS", ("POSTGRES_APP_PASS",), (), ((_POOLER, r'^"kb_app"\s+"([^"]+)"'),)),
    Places("POSTGRES_DB", ("POSTGRES_DB",)),
    Places("PATRONI_CLUSTER_NAME", ("PATRONI_SCOPE",), (), _in_files(r"^scope:\s*(\S+)")),
    Places(
        "PATRONI_API_PASSWORD",
        ("PATRONI_RESTAPI_PASSWORD",),
        (),
        _in_files(r"^\s+authentication:\n\s+username:.*\n\s+password:\s*(.+)$"),
    ),
)
