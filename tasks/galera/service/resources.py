"""Resources of MariaDB: the format of its data, and what is inside the cluster, written on one Synced node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keybuzz.model.core.resource import Attributes, Json, Resource
from keybuzz.model.core.secret import DigestKey, Secret

FORMER, ANOTHER = "the former one", "another one"
"""Passwords that a user has beside ours, as they are called where none may be shown."""


@dataclass(frozen=True, slots=True)
class MysqlAccess:
    """How the agent reaches the server of its own host, as its administrator."""

    address: str
    user: str
    password: Secret
    port: int = 3306
    former: Secret | None = None
    """The password that a rotation is about to replace: tried where the other is not taken yet."""

    def order(self) -> Json:
        """Return the agent's part of a query."""
        return {
            "address": self.address,
            "port": self.port,
            "user": self.user,
            "password": self.password.reveal(),
            "former": self.former.reveal() if self.former else "",
        }


@dataclass(frozen=True, slots=True)
class MariadbData(Resource):
    """Version and layout of the data on disk. Compared and never written: newer data refuses the run."""

    kind: ClassVar[str] = "mariadb-data"
    path: str
    """The volume: what the image mounts."""
    newest: str
    """Newest series that the frozen image can open, such as `10.11`."""

    @property
    def name(self) -> str:
        return self.path

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"loadable": True, "layout": "bitnami"}

    def query(self) -> Json:
        return {**Resource.query(self), "newest": self.newest}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class MysqlNoUser(Resource):
    """An account that must not be there, such as one that the image makes with a password which nothing rotates."""

    kind: ClassVar[str] = "mysql-no-user"
    access: MysqlAccess
    user: str
    host: str

    @property
    def name(self) -> str:
        return f"{self.user}@{self.host}"

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"there": False}

    def query(self) -> Json:
        query = Resource.query(self)
        return {**query, "access": self.access.order(), "user": self.user, "host": self.host}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class MysqlDatabase(Resource):
    """A database; created when it is absent, and never dropped."""

    kind: ClassVar[str] = "mysql-database"
    access: MysqlAccess
    database: str
    character_set: str
    collation: str
    application: str = ""

    @property
    def name(self) -> str:
        return self.database

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"character_set": self.character_set, "collation": self.collation}

    def query(self) -> Json:
        return {**Resource.query(self), "access": self.access.order()}

    def order(self) -> Json:
        return {
            **self.query(),
            "character_set": self.character_set,
            "collation": self.collation,
        }


@dataclass(frozen=True, slots=True)
class MysqlUser(Resource):
    """A user that logs in from any host by one password, and while a rotation lasts by the former one too.

    Its password is only set again when a real login fails, or when it has another one beside.
    """

    kind: ClassVar[str] = "mysql-user"
    credential_proofs: ClassVar[tuple[str, ...]] = ("logs_in",)
    access: MysqlAccess
    user: str
    password: Secret
    grants: tuple[tuple[str, str], ...]
    """Privileges and where, as SHOW GRANTS says them, such as ("ALL PRIVILEGES", "erpnext.*"). More are left alone."""
    former: Secret | None = None
    application: str = ""

    @property
    def name(self) -> str:
        return self.user

    @property
    def credential(self) -> Secret:
        return self.password

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        grants = tuple(f"{what} ON {where}" for what, where in self.grants)
        others = (FORMER,) if self.former else ()
        return {"logs_in": True, "grants": grants, "others": others}

    def query(self) -> Json:
        return {
            **Resource.query(self),
            "access": self.access.order(),
            "password": self.password.reveal(),
            "former": self.former.reveal() if self.former else "",
            "grants": [list(grant) for grant in self.grants],
        }

    def order(self) -> Json:
        return self.query()
