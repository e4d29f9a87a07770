"""The one schema of the credential store: variable, file, form, generator and consumers (SEC-1, SEC-3)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

CONTROLLER = "controller"
"""The group of the one host that holds the whole store."""


@dataclass(frozen=True, slots=True)
class Credential:
    """One variable of the store (facts/credentials.md)."""

    name: str
    file: str
    default: str = ""
    """Value for a name that is not secret; empty means: a secret that is generated."""
    consumers: tuple[str, ...] = ()
    """Groups of servers that need it; all others must not have it."""
    minimum: int = 16
    """Characters that a secret should have at least; a live one that is taken over may have fewer."""
    length: int = 25
    """Letters and digits that are generated."""
    aliases: tuple[str, ...] = ()
    """Other names that are understood on reading; `name` is what is written."""
    most: str = ""
    """A number that must not be above the size of this group of servers."""

    @property
    def secret(self) -> bool:
        """True when nobody may see its value."""
        return not self.default

    @property
    def service(self) -> str:
        """Name of the service, as in a path of Vault."""
        return PurePath(self.file).stem


_PATRONI = ("patroni",)
_STREAMED = ("patroni", "backup")
"""The members create the role, Barman streams as it."""
_POOLED = ("patroni", "haproxy")
"""The members create the role, PgBouncer checks its clients against it."""
_REDIS = ("redis", "haproxy")
"""The HAProxy hosts ask Redis who is master."""
_QUEUED = ("rabbitmq", "haproxy")
"""The HAProxy hosts prove by a login that RabbitMQ is behind them."""
_GALERA = ("galera",)
_PROXIED = ("galera", "proxysql")
_K3S = ("k3s-masters", "k3s-workers")

SCHEMA = (
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
    Credential("REDIS_PASSWORD", "redis.env", "", _REDIS, length=32),
    Credential("REDIS_SENTINEL_PASSWORD", "redis.env", "", _REDIS, length=32),
    Credential("REDIS_MASTER_NAME", "redis.env", "kb-redis-master", _REDIS),
    Credential("REDIS_SENTINEL_QUORUM", "redis.env", "2", _REDIS, most="redis"),
    Credential(
        "RABBITMQ_USER", "rabbitmq.env", "kb_rmq", _QUEUED, aliases=("RABBITMQ_DEFAULT_USER",)
    ),
    Credential(
        "RABBITMQ_PASSWORD",
        "rabbitmq.env",
        "",
        _QUEUED,
        aliases=("RABBITMQ_DEFAULT_PASS",),
    ),
    Credential("RABBITMQ_ERLANG_COOKIE", "rabbitmq.env", "", ("rabbitmq",), length=32),
    Credential("MINIO_ROOT_USER", "minio.env", "kb_minio", ("minio",)),
    Credential("MINIO_ROOT_PASSWORD", "minio.env", "", ("minio",), length=32),
    Credential("MINIO_BUCKET", "minio.env", "keybuzz-backups", ("minio",)),
    Credential("MARIADB_ROOT_PASSWORD", "mariadb.env", "", _GALERA),
    Credential("MARIADB_APP_USER", "mariadb.env", "erpnext", _PROXIED),
    Credential("MARIADB_APP_PASSWORD", "mariadb.env", "", _PROXIED),
    Credential("MARIADB_DB", "mariadb.env", "erpnext", _PROXIED, aliases=("MARIADB_APP_DATABASE",)),
    Credential("GALERA_CLUSTER_NAME", "mariadb.env", "keybuzz-galera", _GALERA),
    Credential("MARIADB_SST_USER", "mariadb.env", "kb_sst", _GALERA),
    Credential("MARIADB_SST_PASSWORD", "mariadb.env", "", _GALERA),
    Credential("MARIADB_MONITOR_USER", "mariadb.env", "kb_monitor", _PROXIED),
    Credential("MARIADB_MONITOR_PASSWORD", "mariadb.env", "", _PROXIED),
    Credential("PROXYSQL_ADMIN_USER", "proxysql.env", "kb_proxysql", ("proxysql",)),
    Credential("PROXYSQL_ADMIN_PASSWORD", "proxysql.env", "", ("proxysql",)),
    Credential("K3S_TOKEN", "k3s.env", "", _K3S, length=48),
)

EXTERNAL_FILES = ("mail.env", "marketplaces.env", "stripe.env")
"""Files of applications: kbz looks at their presence and mode, and never at what is in them."""

LEGACY_FILES = {"k3s_token.txt": "k3s.env"}
"""Names that older scripts wrote, and where their content belongs now."""

DEFAULTS = frozenset(
    {
        "admin",
        "administrator",
        "changeme",
        "default",
        "guest",
        "keybuzz",
        "minioadmin",
        "monitor",
        "mysql",
        "password",
        "postgres",
        "proxysql",
        "rabbitmq",
        "redis",
        "root",
        "secret",
        "test",
    }
)
"""What programs are delivered with, and what people write for the moment. Refused, also repeated or with digits."""

DEFAULT_NAMES = {
    "RABBITMQ_USER": frozenset({"guest"}),
    "MINIO_ROOT_USER": frozenset({"minioadmin"}),
    "PROXYSQL_ADMIN_USER": frozenset({"admin", "radmin"}),
    "MARIADB_MONITOR_USER": frozenset({"monitor"}),
}
"""Users that exist in every installation of the program; everybody tries them first."""


SHORTEST = 8
"""Characters below which a secret is refused, also a live one: masked as text, it would hide parts of other words."""


def is_delivered(clear: str) -> bool:
    """Return whether a secret is what a program is delivered with: a name too, so that no text is masked by it."""
    return clear.casefold() in DEFAULTS


def files() -> tuple[str, ...]:
    """Return the ten files of the store."""
    return tuple(sorted({*(item.file for item in SCHEMA), *EXTERNAL_FILES}))


def find(name: str) -> Credential | None:
    """Return the credential of that name or alias, or None."""
    return next((item for item in SCHEMA if name == item.name or name in item.aliases), None)


def vault_paths(schema: tuple[Credential, ...] = SCHEMA) -> dict[str, tuple[str, ...]]:
    """Return the path of each service in a later Vault, with its names (SEC-3); no value is looked at."""
    paths: dict[str, tuple[str, ...]] = {}
    for item in schema:
        path = f"secret/keybuzz/global/{item.service}"
        paths[path] = (*paths.get(path, ()), item.name)
    paths["secret/keybuzz/global/mail"] = ("MAIL_SMTP_USER", "MAIL_SMTP_PASSWORD")
    paths["secret/keybuzz/global/stripe"] = ("STRIPE_SECRET_KEY",)
    for name in ("marketplaces", "erpnext", "api_keys"):
        paths[f"secret/keybuzz/tenant_<ID>/{name}"] = ()
    return paths
