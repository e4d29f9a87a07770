"""Names in applications.yaml: their forms, those that are taken, and that each belongs to one application."""

from __future__ import annotations

import re
from enum import Enum

from keybuzz.site.files.problems import Problems, shown
from keybuzz.site.files.yaml_tree import Scalar

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


class NameKind(Enum):
    """What a name stands for. The values are how a message calls it."""

    APPLICATION = "application"
    POSTGRES_DATABASE = "PostgreSQL database"
    POSTGRES_USER = "PostgreSQL user"
    MARIADB_DATABASE = "MariaDB database"
    MARIADB_USER = "MariaDB user"
    VHOST = "vhost"
    RABBITMQ_USER = "RabbitMQ user"
    REDIS_DATABASE = "Redis database"
    REDIS_PREFIX = "Redis prefix"
    BUCKET = "bucket"


_SQL = (
    re.compile(r"[a-z_][a-z0-9_]{0,30}"),
    "up to 31 small letters, digits and _; no digit first",
)
"""Small letters only: the name is in a statement, in an URL, and in the name of a variable of the store."""
_DASHED = (re.compile(r"[a-z][a-z0-9-]{0,40}"), "small letters, digits and -")
_FORMS = {
    NameKind.APPLICATION: _DASHED,
    NameKind.POSTGRES_DATABASE: _SQL,
    NameKind.POSTGRES_USER: _SQL,
    NameKind.MARIADB_DATABASE: _SQL,
    NameKind.MARIADB_USER: _SQL,
    NameKind.VHOST: (re.compile(r"[a-z][a-z0-9_-]{0,60}"), "small letters, digits, - and _"),
    NameKind.RABBITMQ_USER: _SQL,
    NameKind.BUCKET: (
        re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"),
        "3 to 63 small letters, digits and -",
    ),
}
_TAKEN = frozenset(
    {
        "admin",
        "erpnext",
        "guest",
        "information_schema",
        "keybuzz",
        "keybuzz-backups",
        "monitor",
        "mysql",
        "none",
        "performance_schema",
        "pgbouncer",
        "postgres",
        "public",
        "root",
        "stats",
        "sys",
        "template0",
        "template1",
        "test",
    }
)
"""Accounts, databases and buckets of the programs themselves and of the platform."""
_OURS = ("kb_", "kbz", "pg_")
"""How the platform's own names begin, those of drills, and those that PostgreSQL keeps for itself."""


class Names:
    """Collects the names of a file; a name that cannot be given is noted as a problem."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._known: dict[tuple[NameKind, str], tuple[str, int, str]] = {}

    def take(self, kind: NameKind, name: Scalar, owner: str) -> str:
        """Return the name after noting what is wrong with it: its form, or that another application has it."""
        text = name.text
        form, words = _FORMS.get(kind, (None, ""))
        if form is not None and not form.fullmatch(text):
            self._problems.add(
                name.line, f"{shown(text)} is not a valid {kind.value} name", f"use {words}"
            )
        elif kind is NameKind.APPLICATION:
            return text
        elif text in _TAKEN or text.startswith(_OURS):
            what = f"{kind.value} {text} is the platform's own, or the program's"
            self._problems.add(name.line, what, "choose another name, or write `shared`")
        elif text:
            self._once(kind, name, owner)
        return text

    def _once(self, kind: NameKind, name: Scalar, owner: str) -> None:
        # Names of variables have no dash: both spellings would be one variable of the environment.
        key = (kind, name.text.replace("-", "_"))
        before, line, spelled = self._known.get(key, ("", 0, name.text))
        self._known.setdefault(key, (owner, name.line, name.text))
        if before and before != owner:
            what = f"{kind.value} {name.text} belongs to application {before} (line {line})"
            self._problems.add(name.line, what, "give each application its own")
        elif spelled != name.text:
            what = f"{kind.value} {name.text} and {spelled} (line {line}) give the same variables"
            self._problems.add(name.line, what, "choose names that differ in more than - and _")
        elif before and kind is NameKind.BUCKET:
            self._problems.add(name.line, f"bucket {name.text} is there twice", "keep one")
