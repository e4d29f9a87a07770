"""The users of applications in ProxySQL, and users that no file describes. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from keybuzz.model.core.reading import Answer
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Inside
from keybuzz.site.site import Site
from tasks.galera.service.readings import MysqlQuery
from tasks.proxysql import values
from tasks.proxysql.service.resources import ProxysqlNoUser

_READING = "proxysql.inside"
_PLACES = ("main.mysql_users", "disk.mysql_users", "main.runtime_mysql_users")
_STATEMENTS = tuple(f"SELECT DISTINCT username FROM {place}" for place in _PLACES)


def _ask(site: Site, server: Server) -> tuple[MysqlQuery, ...]:
    del server  # each host asks its own admin port
    admin = values.access(site)
    return (
        MysqlQuery(_READING, admin.address, admin.port, admin.user, admin.password, _STATEMENTS),
    )


def _undescribed(site: Site, answers: Mapping[str, Answer]) -> dict[str, str] | None:
    answer = answers.get(_READING)
    rows = answer.value["rows"] if answer is not None and answer.known else {}
    found = [rows.get(statement) for statement in _STATEMENTS]
    if not all(isinstance(names, list) for names in found):
        return None
    known = set(values.user_names(site))
    where: dict[str, list[str]] = {}
    for layer, names in zip(("memory", "disk", "runtime"), found, strict=True):
        for row in names or ():
            if len(row) == 1 and isinstance(row[0], str) and row[0] not in known:
                where.setdefault(row[0], []).append(layer)
    return {f"user:{n}": f"user of ProxySQL ({', '.join(layers)})" for n, layers in where.items()}


def _removed(site: Site, server: Server, name: str) -> ProxysqlNoUser:
    del server  # as in `_ask`
    return ProxysqlNoUser(values.access(site), name)


INSIDE = Inside(("user",), _ask, _undescribed, each_host=True, account="user", removed=_removed)
"""Each ProxySQL has its own configuration, so that a user of one is not one of the other."""
