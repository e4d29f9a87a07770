"""What checks ask of MariaDB and of ProxySQL, which speaks its protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from keybuzz.model.core.access import Changes, Looks
from keybuzz.model.core.resource import Json
from keybuzz.model.core.secret import Secret


class MysqlAnswer(TypedDict):
    """Of MysqlQuery: rows by statement, or {"error": text}."""

    denied: str
    rows: dict[str, list[list[str | None]] | dict[str, str]]


class GaleraAnswer(TypedDict):
    """Of GaleraPosition."""

    there: bool
    uuid: str
    seqno: int
    safe: bool
    recovered: str
    view: int
    members: list[str]
    databases: int


@dataclass(frozen=True, slots=True)
class MysqlQuery(Looks):
    """Ask MariaDB or ProxySQL by statements that only read (SELECT, SHOW); without any, whether the login works.

    The answer is {"denied": why or "", "rows": {statement: [[text or null]] or {"error": text}}}; no password is in it.
    """

    answers: ClassVar[type] = MysqlAnswer
    name: str
    address: str
    port: int
    user: str
    password: Secret
    statements: tuple[str, ...] = ()
    timeout: float = 5.0
    """Seconds for the login, and for each statement."""
    former: Secret | None = None
    """Tried where the password is not taken yet: a rotation is under way."""
    recheck: tuple[str, float] | None = None
    """What its monitor calls bad (name, milliseconds ago), and seconds to ask until that is newer than the question."""

    def query(self) -> Json:
        """Return the agent's frame, which holds the password: only for a host that may know it."""
        return {
            "kind": "mysql-query",
            "name": self.name,
            "address": self.address,
            "port": self.port,
            "user": self.user,
            "password": self.password.reveal(),
            "statements": list(self.statements),
            "timeout": self.timeout,
            "former": self.former.reveal() if self.former else "",
            "recheck": list(self.recheck or ()),
        }


@dataclass(frozen=True, slots=True)
class GaleraPosition(Changes):
    """How far the data of a stopped Galera node goes; only `kbz recover` asks.

    The answer is {"there": bool, "uuid", "seqno": int, "safe": bool, "recovered": "uuid:seqno" or "", "view": int,
    "members": [str], "databases": int}: what grastate.dat says, then what the server itself finds in a container that
    is thrown away (--wsrep-recover), the number and the members of the last Primary component that it knows (-1 and
    none where it does not tell), and how many databases of users lie there.
    """

    answers: ClassVar[type] = GaleraAnswer
    name: str
    container: str
    """Must not run meanwhile."""
    data: str
    image: str
    argv: tuple[str, ...]
    """What makes the server say its position and its last Primary component."""
    binds: tuple[str, ...]
    timeout: float = 540.0
    """Seconds for the server's own crash recovery."""

    def query(self) -> Json:
        """Return the agent's frame."""
        return {
            "kind": "galera-position",
            "name": self.name,
            "container": self.container,
            "data": self.data,
            "image": self.image,
            "argv": list(self.argv),
            "binds": list(self.binds),
            "timeout": self.timeout,
        }
