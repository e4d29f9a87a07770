"""The settled values of facts/03 and facts/10 for HAProxy and PgBouncer, typed, and what their files can hold."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import Secret
from keybuzz.site.site import Site
from tasks.patroni.service.offer import ACCOUNTS, PostgresDatabase
from tasks.postgres_proxy import parameters

GROUP = "haproxy"
DATABASE_GROUP = "patroni"
HAPROXY = "haproxy"
HAPROXY_UID = 99
PGBOUNCER = "pgbouncer"
PGBOUNCER_UID = 70
ROOT = "/opt/keybuzz"
HAPROXY_CONFIGURATION = f"{ROOT}/haproxy/conf"
HAPROXY_RUN = f"{ROOT}/haproxy/run"
HAPROXY_SOCKET = f"{HAPROXY_RUN}/admin.sock"
PGBOUNCER_CONFIGURATION = f"{ROOT}/pgbouncer/conf"
USERLIST = f"file:{PGBOUNCER_CONFIGURATION}/userlist.txt"
"""The resource that holds the application's password."""
TEMPLATES = Path(__file__).parent / "templates"

POSTGRES_PORT = 5432
"""Of PostgreSQL, and of the HAProxy in front of it."""
POOL_PORT = 6432
"""PgBouncer's own: HAProxy does not stand before it (contradiction 27)."""
REST_PORT = 8008
STATISTICS_PORT = 8404
FRONTEND = "postgres"
BACKEND = "postgres_primary"

_LONGEST_PASSWORD = 996
"""Bytes. PgBouncer cuts what is longer, and PostgreSQL's clients send no more than this."""
_LIKE_A_VERIFIER = re.compile(r"md5[0-9a-fA-F]{32}|SCRAM-SHA-256\$.*")
_LINE_BREAKS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class HaproxyValues:
    """Every name of haproxy.cfg.j2. It holds no secret: the statistics are for the host itself."""

    max_connections: int
    session_timeout: str
    members: tuple[tuple[str, str], ...]
    """Name and address of each Patroni member."""
    mark: str = ""
    """Changes with everything else in the file, so that the running process can tell which one it has read."""
    socket: str = HAPROXY_SOCKET
    frontend: str = FRONTEND
    backend: str = BACKEND
    port: int = POSTGRES_PORT
    check_port: int = REST_PORT
    statistics_port: int = STATISTICS_PORT


@dataclass(frozen=True, slots=True)
class PgbouncerValues:
    """Every name of pgbouncer.ini.j2."""

    database: str
    max_client_conn: int
    default_pool_size: int
    max_db_connections: int
    applications: tuple[tuple[str, int], ...] = ()
    """Databases of applications that may use the pool, and the most connections for each."""
    server_port: int = POSTGRES_PORT
    port: int = POOL_PORT
    auth_file: str = "/etc/pgbouncer/userlist.txt"


@dataclass(frozen=True, slots=True)
class UserlistValues:
    """Every name of userlist.txt.j2: roles of applications and no other, never the superuser."""

    user: str
    password: Secret
    """As the file spells it."""
    applications: tuple[tuple[str, Secret], ...] = ()
    """Roles whose databases may be reached through the pool, and their passwords."""


def haproxy_values(site: Site) -> HaproxyValues:
    """Return the values of haproxy.cfg; they are the same on every host of the group."""
    members = tuple((item.name, str(item.address)) for item in site.members(DATABASE_GROUP))
    maximum = parameters.MAX_CONNECTIONS.of(site)
    timeout = parameters.SESSION_TIMEOUT.of(site)
    text = repr((_template("haproxy.cfg.j2"), members, maximum, timeout))
    mark = f"kbz-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return HaproxyValues(maximum, timeout, members, mark)


def pgbouncer_values(site: Site) -> PgbouncerValues:
    """Return the values of pgbouncer.ini; they are the same on every host of the group."""
    return PgbouncerValues(
        site.secret("POSTGRES_DB").reveal(),
        parameters.MAX_CLIENTS.of(site),
        parameters.POOL.of(site),
        parameters.MAX_DATABASE.of(site),
        tuple((item.name, item.connections) for item in _pooled(site)),
    )


def userlist_values(site: Site) -> UserlistValues:
    """Return the users; InputError when userlist.txt cannot hold a password."""
    user = site.secret("POSTGRES_APP_USER").reveal()
    others = dict.fromkeys(item.user for item in _pooled(site))
    return UserlistValues(
        user,
        in_userlist(site.secret("POSTGRES_APP_PASS")),
        tuple((u, in_userlist(site.secret(ACCOUNTS.credential(u).name))) for u in others),
    )


def _pooled(site: Site) -> tuple[PostgresDatabase, ...]:
    return tuple(item for _, item in site.applications.parts(PostgresDatabase) if item.pool)


def in_userlist(password: Secret) -> Secret:
    """Return a password as userlist.txt spells it: in clear, quotes doubled (contradiction 15).

    PgBouncer proves it by SCRAM to PostgreSQL, which a verifier would not allow unless it had PostgreSQL's own salt.
    """
    clear = password.reveal()
    reason = ""
    if _LINE_BREAKS.search(clear):
        reason = "it holds a control character or a line break"
    elif _LIKE_A_VERIFIER.fullmatch(clear):
        reason = "PgBouncer would take it for a verifier and not for a password"
    elif len(clear.encode()) > _LONGEST_PASSWORD:
        reason = f"it is longer than {_LONGEST_PASSWORD} bytes"
    if reason:
        raise InputError(
            f"PgBouncer's userlist.txt cannot hold {password.name}: {reason}",
            where="postgres.env",
            hint="choose another password; letters and digits are always fine",
        )
    return Secret(password.name, clear.replace('"', '""'))


@lru_cache(maxsize=4)
def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
