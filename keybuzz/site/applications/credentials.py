"""The credentials that applications need: the schema of the store with their accounts in it."""

from __future__ import annotations

from collections.abc import Mapping

from keybuzz.model.core.secret import Secret
from keybuzz.site.applications.described import Applications
from keybuzz.site.credentials.accounts import MARIADB, MINIO, POSTGRES, RABBITMQ, AccountKind
from keybuzz.site.credentials.schema import Credential, schema
from keybuzz.site.files.problems import Problems

_PLATFORM: Mapping[str, tuple[str, ...]] = {
    "postgres": (
        "POSTGRES_SUPERUSER",
        "POSTGRES_REPL_USER",
        "POSTGRES_REWIND_USER",
        "POSTGRES_APP_USER",
        "POSTGRES_DB",
    ),
    "mariadb": ("MARIADB_APP_USER", "MARIADB_MONITOR_USER", "MARIADB_SST_USER", "MARIADB_DB"),
    "rabbitmq": ("RABBITMQ_USER",),
    "buckets": ("MINIO_BUCKET",),
    "a user of MinIO": ("MINIO_ROOT_USER",),
}
"""Names of the store that are the platform's own, by service."""
_SHARED = frozenset({"postgres", "mariadb", "rabbitmq"})


def accounts(applications: Applications) -> tuple[tuple[AccountKind, str], ...]:
    """Return every account that is described, once: its kind and its user."""
    found = (
        *((POSTGRES, item.user) for _, item in applications.databases()),
        *((MARIADB, item.user) for _, item in applications.sites()),
        *((RABBITMQ, item.user) for _, item in applications.vhosts()),
        *((MINIO, item.store_user) for item in applications.items if item.buckets),
    )
    return tuple(dict.fromkeys(found))


def schema_with(applications: Applications) -> tuple[Credential, ...]:
    """Return the schema of the store with a password for each account of the applications."""
    return (*schema(), *(kind.credential(user) for kind, user in accounts(applications)))


def require_free(applications: Applications, credentials: Mapping[str, Secret]) -> None:
    """Raise InputError when an application takes a name that the store gives to the platform itself."""
    problems = Problems(applications.source)
    named = (
        *(("postgres", n, i.line) for _, i in applications.databases() for n in {i.name, i.user}),
        *(("mariadb", n, i.line) for _, i in applications.sites() for n in {i.name, i.user}),
        *(("rabbitmq", i.user, i.line) for _, i in applications.vhosts()),
        *(("buckets", i.name, i.line) for _, i in applications.buckets()),
        *(("a user of MinIO", i.store_user, i.line) for i in applications.items if i.buckets),
    )
    for service, name, line in named:
        for variable in _PLATFORM[service]:
            if variable in credentials and credentials[variable].reveal() == name:
                what = f"{name} is the platform's own ({variable} of the credential store)"
                shared = f", or write `{service}: shared`" if service in _SHARED else ""
                problems.add(line, what, f"choose another name{shared}")
    problems.raise_if_any()
