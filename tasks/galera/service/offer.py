"""What an application can have in MariaDB: databases with the users who own them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keybuzz.model.core.secret import Secret
from keybuzz.site.applications.described import Application, Part
from keybuzz.site.applications.names import SQL, NameKind
from keybuzz.site.applications.offer import SHARED, Offer
from keybuzz.site.applications.reader import PartReader
from keybuzz.site.applications.variables import Account, Endpoint, Form, Variable, names_of
from keybuzz.site.credentials.accounts import AccountKind
from keybuzz.site.files.yaml_tree import Scalar, Tree

KEY = "mariadb"
PORT = 3306
"""Of the endpoint."""
ACCOUNTS = AccountKind(KEY, "mariadb.env", "MARIADB_USER_", ("galera", "proxysql"))
_DATABASE, _USER = NameKind("MariaDB database", *SQL), NameKind("MariaDB user", *SQL)
_FORM = Form("MARIADB", "DATABASE", "MARIADB_URL", "mysql")


@dataclass(frozen=True, slots=True)
class MariadbDatabase(Part):
    """A MariaDB database of one application (of ERPNext: one site), and the user who owns it."""

    connections: int = 100
    """Most client connections that each ProxySQL accepts for the user."""


def _read(reader: PartReader, tree: Tree, owner: str) -> tuple[MariadbDatabase, ...]:
    def database(name: Scalar, below: Tree, owner: str) -> MariadbDatabase:
        known = reader.options(below, name.text, ("user", "connections"))
        taken = reader.take(_DATABASE, name, owner)
        user = reader.user(_USER, known, name, owner)
        return MariadbDatabase(taken, user, reader.connections(known, 100), line=name.line)

    return reader.each(tree, owner, database)


def _variables(
    application: Application, endpoints: Mapping[int, Endpoint], credentials: Mapping[str, Secret]
) -> Iterator[Variable]:
    own = [
        Account(item.user, ACCOUNTS.credential(item.user).name, item.name)
        for item in application.parts(MariadbDatabase)
    ]
    if KEY in application.shared:
        names = names_of(credentials, "MARIADB_APP_USER", "MARIADB_DB")
        own = [Account(names[0], "MARIADB_APP_PASSWORD", names[1])]
    for number, account in enumerate(own):
        yield from _FORM.variables(account, endpoints[PORT], number)


_PLATFORM = ("MARIADB_APP_USER", "MARIADB_MONITOR_USER", "MARIADB_SST_USER", "MARIADB_DB")

OFFER = Offer(
    KEY,
    _read,
    _variables,
    ACCOUNTS,
    shared={SHARED: (PORT,)},
    named_in_store=True,
    taken=frozenset(
        {"erpnext", "information_schema", "monitor", "mysql", "performance_schema", "sys"}
    ),
    platform_names=_PLATFORM,
    platform_users=_PLATFORM,
)
