"""What checks ask of PostgreSQL and Patroni: real logins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keybuzz.model.core import answers as shapes
from keybuzz.model.core.access import Looks, Probes
from keybuzz.model.core.resource import Json
from keybuzz.model.core.secret import Secret


@dataclass(frozen=True, slots=True)
class PostgresLogin(Looks):
    """A real login by SCRAM-SHA-256; the answer is {"accepted": bool, "reason": str}."""

    answers: ClassVar[type] = shapes.LoginAnswer
    name: str
    address: str
    user: str
    password: Secret
    database: str
    replication: bool = False
    """True for a login as a standby does it."""
    port: int = 5432
    timeout: float = 10.0
    """Seconds."""
    statement: str = ""
    """Run after the login, because a pooler lets in by itself who it knows; `row` is its first row, as texts."""

    def query(self) -> Json:
        """Return the agent's frame, which holds the password: only for a host of the cluster."""
        return {
            "kind": "postgres-login",
            "name": self.name,
            "address": self.address,
            "port": self.port,
            "user": self.user,
            "password": self.password.reveal(),
            "database": self.database,
            "replication": self.replication,
            "timeout": self.timeout,
            "statement": self.statement,
        }


@dataclass(frozen=True, slots=True)
class PatroniLogin(Probes):
    """A change of Patroni's settings that changes none; the answer is {"accepted": bool, "reason": str}."""

    answers: ClassVar[type] = shapes.LoginAnswer
    name: str
    url: str
    """Of the REST interface, without a path."""
    user: str
    password: Secret

    def query(self) -> Json:
        """Return the agent's frame, which holds the password: only for a host of the cluster."""
        return {
            "kind": "patroni-login",
            "name": self.name,
            "url": self.url,
            "user": self.user,
            "password": self.password.reveal(),
        }
