"""How applications know PostgreSQL: its official endpoint, and the words that mean it. Data only."""

from __future__ import annotations

import re

from keybuzz.site.applications.services import Service

SERVICE = Service(
    "PostgreSQL",
    "patroni",
    (5432, 6432),
    "haproxy",
    frozenset({5433, 8008}),
    frozenset({"postgres", "postgresql", "pgsql", "psql", "pg", "postgis", "pgx", "timescaledb"}),
    re.compile(r"postgres\w*|pg|pgsql|psql|pghost\w*|pgport|pgbouncer|postgis|pgvector|pg_\w+"),
)
