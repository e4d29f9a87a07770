"""The credentials of PostgreSQL and Patroni in the store (SEC-1). Data only."""

from __future__ import annotations

from keybuzz.site.credentials.schema import Credential

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
