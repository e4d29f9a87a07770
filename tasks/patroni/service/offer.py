"""What an application can have in PostgreSQL: databases with the roles that own them. Pure."""

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
from keybuzz.site.files.problems import nearest, shown
from keybuzz.site.files.yaml_tree import Scalar, Tree

KEY = "postgres"
PORT, POOL_PORT = 5432, 6432
"""Of the endpoint: to the primary, and through the pool."""
ACCOUNTS = AccountKind(KEY, "postgres.env", "POSTGRES_USER_", ("patroni", "haproxy"))
EXTENSIONS = (
    "btree_gin",
    "btree_gist",
    "citext",
    "fuzzystrmatch",
    "hstore",
    "intarray",
    "ltree",
    "pg_stat_statements",
    "pg_trgm",
    "pgcrypto",
    "postgres_fdw",
    "tablefunc",
    "unaccent",
    "uuid-ossp",
    "vector",
)
"""Extensions of the image (PG-2): those of PostgreSQL's contrib that applications ask for, and pgvector."""
_SHARED_POOL = "shared-pool"
"""The word for the platform's own account through the pool."""
_DATABASE, _USER = NameKind("PostgreSQL database", *SQL), NameKind("PostgreSQL user", *SQL)
_FORM = Form("POSTGRES", "DB", "DATABASE_URL", "postgresql")


@dataclass(frozen=True, slots=True)
class PostgresDatabase(Part):
    """A PostgreSQL database of one application, and the role that owns it."""

    extensions: tuple[str, ...] = ()
    pool: bool = False
    """True when its clients go through the pool on 6432: no prepared statements, no `options=`."""
    connections: int = 20
    """Most connections that the pool of each entry host opens for it."""


def _read(reader: PartReader, tree: Tree, owner: str) -> tuple[PostgresDatabase, ...]:
    def database(name: Scalar, below: Tree, owner: str) -> PostgresDatabase:
        known = reader.options(below, name.text, ("user", "extensions", "pool", "connections"))
        taken = reader.take(_DATABASE, name, owner)
        user = reader.user(_USER, known, name, owner)
        extensions = known.get("extensions")
        return PostgresDatabase(
            taken,
            user,
            _extensions(reader, extensions) if extensions is not None else (),
            reader.word(known["pool"], "pool") if "pool" in known else False,
            reader.connections(known, 20),
            line=name.line,
        )

    return reader.each(tree, owner, database)


def _extensions(reader: PartReader, tree: Tree) -> tuple[str, ...]:
    found: list[str] = []
    for item in reader.items(tree, "extensions"):
        name = reader.text(item, "an extension")
        if name and name not in EXTENSIONS:
            what = f"extension {shown(name)} is not in the image of PostgreSQL"
            reader.problems.add(item.line, what, nearest(name, EXTENSIONS))
        elif name in found:
            reader.problems.add(item.line, f"extension {name} is there twice", "keep one")
        else:
            found.append(name)
    return tuple(found)


def _variables(
    application: Application, endpoints: Mapping[int, Endpoint], credentials: Mapping[str, Secret]
) -> Iterator[Variable]:
    own = [
        (Account(item.user, ACCOUNTS.credential(item.user).name, item.name), item.pool)
        for item in application.parts(PostgresDatabase)
    ]
    if KEY in application.shared:
        names = names_of(credentials, "POSTGRES_APP_USER", "POSTGRES_DB")
        pool = application.shared[KEY] == _SHARED_POOL
        own = [(Account(names[0], "POSTGRES_APP_PASS", names[1]), pool)]
    for number, (account, pool) in enumerate(own):
        yield from _FORM.variables(account, endpoints[POOL_PORT if pool else PORT], number)


def _ports_of(part: Part) -> tuple[int, ...]:
    return (PORT, POOL_PORT) if isinstance(part, PostgresDatabase) and part.pool else (PORT,)


_PLATFORM = (
    "POSTGRES_SUPERUSER",
    "POSTGRES_REPL_USER",
    "POSTGRES_REWIND_USER",
    "POSTGRES_APP_USER",
    "POSTGRES_DB",
)

OFFER = Offer(
    KEY,
    _read,
    _variables,
    ACCOUNTS,
    shared={SHARED: (PORT,), _SHARED_POOL: (PORT, POOL_PORT)},
    named_in_store=True,
    ports_of=_ports_of,
    closed={POOL_PORT: "without the pool, in which prepared statements and `options=` break"},
    taken=frozenset({"pgbouncer", "postgres", "public", "stats", "template0", "template1"}),
    platform_names=_PLATFORM,
    platform_users=_PLATFORM,
)
