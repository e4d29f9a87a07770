"""Resources inside a PostgreSQL cluster, written on its leader only."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import ClassVar

from keybuzz.model.core.resource import Attributes, Json, Resource
from keybuzz.model.core.secret import DigestKey, Secret

BACKUP_SLOT = "kbz_backup"
"""The slot that keeps WAL until the backups have it."""
SLOT_BOUND = "max_slot_wal_keep_size"
"""PostgreSQL's setting of how much WAL any slot may keep."""
KEPT_FOR_BACKUPS = frozenset({f"slots.{BACKUP_SLOT}.type", f"postgresql.parameters.{SLOT_BOUND}"})
"""What a PatroniSlot puts into Patroni's store."""
BACKUP_ROLES = ("pg_checkpoint", "pg_read_all_settings", "pg_read_all_stats")
"""Roles of PostgreSQL that BackupRights grants, as the agent does (tasks.patroni.agent.postgres)."""
BACKUP_FUNCTIONS = (
    "pg_catalog.pg_backup_start(text, boolean)",
    "pg_catalog.pg_backup_stop(boolean)",
    "pg_catalog.pg_create_restore_point(text)",
    "pg_catalog.pg_switch_wal()",
)
"""Functions that it grants."""


@dataclass(frozen=True, slots=True)
class PostgresAccess:
    """How the agent reaches PostgreSQL: psql inside a container, over its local socket."""

    container: str
    superuser: str
    url: str
    """Patroni's REST interface of the same host: what is inside the cluster is read on the leader only."""

    def order(self) -> Json:
        """Return the agent's part of a query."""
        return {"container": self.container, "superuser": self.superuser, "url": self.url}


@dataclass(frozen=True, slots=True)
class Role(Resource):
    """A role that can log in; the agent checks the password against the SCRAM verifier."""

    kind: ClassVar[str] = "postgres-role"
    credential_proofs: ClassVar[tuple[str, ...]] = ("password_matches",)
    access: PostgresAccess
    role: str
    password: Secret
    replication: bool = False
    superuser: bool = False
    application: str = ""

    @property
    def name(self) -> str:
        return self.role

    @property
    def credential(self) -> Secret:
        return self.password

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {
            "login": True,
            "replication": self.replication,
            "superuser": self.superuser,
            "password_matches": True,
        }

    def query(self) -> Json:
        return {
            **Resource.query(self),
            **self.access.order(),
            "password": self.password.reveal(),
        }

    def order(self) -> Json:
        return {
            **self.query(),
            "replication": self.replication,
            "is_superuser": self.superuser,
        }


@dataclass(frozen=True, slots=True)
class NoRole(Resource):
    """A role that must not be there. What it owns is never dropped with it."""

    kind: ClassVar[str] = "postgres-no-role"
    access: PostgresAccess
    role: str

    @property
    def name(self) -> str:
        return self.role

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"there": False}

    def query(self) -> Json:
        return {**Resource.query(self), **self.access.order()}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class Database(Resource):
    """A database and its owner."""

    kind: ClassVar[str] = "postgres-database"
    access: PostgresAccess
    database: str
    owner: str
    private: bool = False
    """True when only its owner and superusers may connect; else PostgreSQL lets every role in."""
    application: str = ""

    @property
    def name(self) -> str:
        return self.database

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"owner": self.owner, **({"private": True} if self.private else {})}

    def query(self) -> Json:
        return {**Resource.query(self), **self.access.order()}

    def order(self) -> Json:
        return {
            **self.query(),
            "owner": self.owner,
            **({"private": True} if self.private else {}),
        }


@dataclass(frozen=True, slots=True)
class Extension(Resource):
    """An extension in a database (PG-4)."""

    kind: ClassVar[str] = "postgres-extension"
    access: PostgresAccess
    database: str
    extension: str
    application: str = ""

    @property
    def name(self) -> str:
        return f"{self.database}/{self.extension}"

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"installed": True}

    def query(self) -> Json:
        return {
            **Resource.query(self),
            **self.access.order(),
            "database": self.database,
            "extension": self.extension,
        }

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class BackupRights(Resource):
    """What a replication role needs to take base backups: to begin one, close a WAL file, and read the settings."""

    kind: ClassVar[str] = "postgres-backup-rights"
    access: PostgresAccess
    role: str

    @property
    def name(self) -> str:
        return self.role

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"granted": True}

    def query(self) -> Json:
        return {**Resource.query(self), **self.access.order()}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class PatroniSlot(Resource):
    """A physical slot that Patroni keeps on every member, so that a failover loses no WAL of its reader.

    What a slot may keep back is bounded: a reader that is away must not fill the leader's disk. A bound of the owner's
    that is larger, or lifted (-1), stays.
    """

    kind: ClassVar[str] = "patroni-slot"
    cluster_of: ClassVar[str] = "patroni"
    urls: tuple[str, ...]
    """REST interfaces of the members; the first that answers is asked."""
    slot: str
    most: str
    """WAL that PostgreSQL keeps for a slot at most, such as 10GB."""
    username: str
    password: Secret

    @property
    def name(self) -> str:
        return self.slot

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"type": "physical", "most": self.most}

    def query(self) -> Json:
        return {**Resource.query(self), "urls": list(self.urls), "most": self.most}

    def order(self) -> Json:
        return {
            **self.query(),
            "username": self.username,
            "password": self.password.reveal(),
        }


_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


def _setting(value: str | int | bool) -> str:
    """Return a setting as JSON, and text that is a number as the number: Patroni holds both to be the same."""
    return value if isinstance(value, str) and _NUMBER.fullmatch(value) else json.dumps(value)


@dataclass(frozen=True, slots=True)
class PatroniSettings(Resource):
    """The cluster-wide settings in Patroni's store; `bootstrap.dcs` of the file only counts at birth."""

    kind: ClassVar[str] = "patroni-settings"
    url: str
    settings: tuple[tuple[str, str | int | bool], ...]
    """Dotted paths such as `postgresql.use_pg_rewind`, and their values."""
    username: str
    password: Secret

    @property
    def name(self) -> str:
        return "dynamic"

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {path: _setting(value) for path, value in self.settings}

    def query(self) -> Json:
        return {
            **Resource.query(self),
            "url": self.url,
            "settings": [path for path, _ in self.settings],
        }

    def order(self) -> Json:
        return {
            **self.query(),
            "values": dict(self.settings),
            "username": self.username,
            "password": self.password.reveal(),
        }


@dataclass(frozen=True, slots=True)
class PatroniIdentity(Resource):
    """Which cluster lives on a host. It is compared and never written: a difference refuses the run."""

    kind: ClassVar[str] = "patroni-identity"
    url: str
    scope: str
    postgres_major: str
    data: str
    """Data directory on the host."""
    container: str
    """Whose configuration says where in the store it looks, and by which port the members vote."""
    namespace: str
    raft_port: int

    @property
    def name(self) -> str:
        return "cluster"

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {
            "scope": self.scope,
            "postgres_major": self.postgres_major,
            "namespace": self.namespace,
            "raft_port": self.raft_port,
        }

    def query(self) -> Json:
        return {
            **Resource.query(self),
            "url": self.url,
            "data": self.data,
            "container": self.container,
            **self.wanted(DigestKey(b"")),
        }

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class PatroniLeader(Resource):
    """The wish that a member no longer leads: applied as a graceful switchover."""

    kind: ClassVar[str] = "patroni-leader"
    url: str
    member: str
    username: str
    password: Secret
    heir: str = ""
    """Member that is to lead then; empty: Patroni chooses."""

    @property
    def name(self) -> str:
        return self.member

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"leads": False}

    def query(self) -> Json:
        return {**Resource.query(self), "url": self.url}

    def order(self) -> Json:
        login = {"username": self.username, "password": self.password.reveal()}
        return {**self.query(), **login, "heir": self.heir}
