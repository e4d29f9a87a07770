"""What applications have in PostgreSQL: their roles, databases and extensions; and what no file describes. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from keybuzz.model.core.reading import Answer, ContainerCommand
from keybuzz.model.core.resource import Resource
from keybuzz.model.core.secret import Secret
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Inside
from keybuzz.site.site import Site
from tasks.patroni import values
from tasks.patroni.service.offer import ACCOUNTS, PostgresDatabase
from tasks.patroni.service.resources import Database, Extension, NoRole, PostgresAccess, Role

_READING = "patroni.inside"
_CATALOGUE = (
    "select json_build_object('role', (select json_object_agg(rolname, case when rolsuper then 'superuser' "
    "when rolcanlogin then 'role that logs in' else 'role' end) from pg_roles where rolname !~ '^pg_'), "
    "'database', (select json_object_agg(d.datname, 'database of ' || r.rolname) "
    "from pg_database d join pg_roles r on r.oid = d.datdba where not d.datistemplate))"
)
_OWN = frozenset({"database:postgres"})
"""What each cluster of PostgreSQL has."""


def resources(site: Site, access: PostgresAccess) -> tuple[Resource, ...]:
    """Return roles first, then what they own. No other role may connect to an application's database."""
    found = tuple(site.applications.parts(PostgresDatabase))
    roles = {
        item.user: Role(access, item.user, password(site, item.user), application=application.name)
        for application, item in found
    }
    databases = tuple(
        Database(access, item.name, item.user, private=True, application=application.name)
        for application, item in found
    )
    extensions = tuple(
        Extension(access, item.name, name, application=application.name)
        for application, item in found
        for name in item.extensions
    )
    return (*roles.values(), *databases, *extensions)


def password(site: Site, user: str) -> Secret:
    """Return the password of an application's role."""
    return site.secret(ACCOUNTS.credential(user).name)


def _ask(site: Site, server: Server) -> tuple[ContainerCommand, ...]:
    del server  # each member asks its own PostgreSQL, and all have the same roles
    return (ContainerCommand(_READING, values.CONTAINER, values.asking(site, _CATALOGUE)),)


def _undescribed(site: Site, answers: Mapping[str, Answer]) -> dict[str, str] | None:
    answer = answers.get(_READING)
    if answer is None or not answer.known or answer.value["exit_code"] != 0:
        return None
    try:
        found = json.loads(answer.value["stdout"])
        things = {
            f"{k}:{name}": str(what)
            for k in ("role", "database")
            for name, what in found[k].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    known = _OWN | _described(site)
    return {name: what for name, what in things.items() if name not in known}


def _described(site: Site) -> set[str]:
    variables = ("SUPERUSER", "REPL_USER", "REWIND_USER", "APP_USER")
    roles = {site.secret(f"POSTGRES_{variable}").reveal() for variable in variables}
    databases = {site.secret("POSTGRES_DB").reveal()}
    for _, item in site.applications.parts(PostgresDatabase):
        roles.add(item.user)
        databases.add(item.name)
    return {f"role:{name}" for name in roles} | {f"database:{name}" for name in databases}


def _removed(site: Site, server: Server, name: str) -> NoRole:
    return NoRole(values.access(site, server), name)


INSIDE = Inside(("role", "database"), _ask, _undescribed, account="role", removed=_removed)
