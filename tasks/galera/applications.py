"""What applications have in MariaDB: databases and users; and what no file describes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keybuzz.model.core.reading import Answer
from keybuzz.model.core.resource import Resource
from keybuzz.model.core.secret import Secret
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Inside
from keybuzz.site.site import Site
from tasks.galera import values
from tasks.galera.service.offer import ACCOUNTS, MariadbDatabase
from tasks.galera.service.readings import MysqlQuery
from tasks.galera.service.resources import MysqlDatabase, MysqlNoUser, MysqlUser

_READING = "galera.inside"
_USERS = "SELECT User, Host FROM mysql.global_priv"
_DATABASES = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA"
_OWN_DATABASES = frozenset({"mysql", "information_schema", "performance_schema", "sys", "test"})
_OWN_USERS = frozenset({"root", "mysql", "mariadb.sys", "PUBLIC", "healthcheck"})
"""Of the server and of its image, whatever host they come from."""


def resources(site: Site, server: Server) -> tuple[Resource, ...]:
    """Return each database with its user, who may do everything in it and nothing elsewhere."""
    access = values.access(site, server)
    found = tuple(site.applications.parts(MariadbDatabase))
    grants: dict[str, list[tuple[str, str]]] = {}
    owners: dict[str, str] = {}
    for application, item in found:
        grants.setdefault(item.user, []).append(("ALL PRIVILEGES", f"{item.name}.*"))
        owners[item.user] = application.name
    databases = tuple(
        MysqlDatabase(
            access,
            item.name,
            values.CHARACTER_SET,
            values.COLLATION,
            application=application.name,
        )
        for application, item in found
    )
    users = tuple(
        MysqlUser(
            access,
            user,
            password(site, user),
            tuple(places),
            site.former.get(ACCOUNTS.credential(user).name),
            application=owners[user],
        )
        for user, places in grants.items()
    )
    return (*databases, *users)


def password(site: Site, user: str) -> Secret:
    """Return the password of an application's user."""
    return values.password(site, ACCOUNTS.credential(user).name)


def _ask(site: Site, server: Server) -> tuple[MysqlQuery, ...]:
    reached = values.access(site, server)
    statements = (_USERS, _DATABASES)
    return (
        MysqlQuery(
            _READING, reached.address, reached.port, reached.user, reached.password, statements
        ),
    )


def _undescribed(site: Site, answers: Mapping[str, Answer]) -> dict[str, str] | None:
    answer = answers.get(_READING)
    rows = answer.value["rows"] if answer is not None and answer.known else {}
    users, databases = rows.get(_USERS), rows.get(_DATABASES)
    if not isinstance(users, list) or not isinstance(databases, list):
        return None
    known_users, known_databases = _described(site)
    found = {
        f"user:{name}@{host}": "user of MariaDB"
        for name, host in _rows(users, 2)
        if name not in _OWN_USERS and (name, host) not in known_users
    }
    found |= {
        f"database:{name}": "database"
        for (name,) in _rows(databases, 1)
        if name not in known_databases
    }
    return found


def _rows(found: list[list[str | None]], width: int) -> Iterator[list[str]]:
    """Yield the rows of that many texts: what else a server says is no name."""
    for row in found:
        texts = [cell for cell in row if isinstance(cell, str)]
        if len(row) == len(texts) == width:
            yield texts


def _described(site: Site) -> tuple[set[tuple[str, str]], set[str]]:
    variables = ("APP", "MONITOR", "SST")
    # The image makes its own also for clients of the host itself.
    users = {
        (site.secret(f"MARIADB_{variable}_USER").reveal(), host)
        for variable in variables
        for host in ("%", "localhost")
    }
    databases = {site.secret("MARIADB_DB").reveal(), *_OWN_DATABASES}
    for _, item in site.applications.parts(MariadbDatabase):
        users.add((item.user, "%"))
        databases.add(item.name)
    return users, databases


def _removed(site: Site, server: Server, name: str) -> MysqlNoUser:
    user, _, host = name.rpartition("@")
    return MysqlNoUser(values.access(site, server), user, host)


INSIDE = Inside(("user", "database"), _ask, _undescribed, account="user", removed=_removed)
