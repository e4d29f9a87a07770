"""What applications have in RabbitMQ: vhosts and users, and the reading that lists all that are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from keybuzz.model.core.access import Looks
from keybuzz.model.core.resource import Attributes, Json, Resource
from keybuzz.model.core.secret import DigestKey, Secret
from tasks.rabbitmq.service.resources import RabbitmqAccess


@dataclass(frozen=True, slots=True)
class RabbitmqVhost(Resource):
    """A vhost of an application; created when it is absent, and never deleted."""

    kind: ClassVar[str] = "rabbitmq-vhost"
    access: RabbitmqAccess
    vhost: str
    application: str = ""

    @property
    def name(self) -> str:
        return self.vhost

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"there": True}

    def query(self) -> Json:
        return {**Resource.query(self), "access": self.access.order()}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class RabbitmqAccount(Resource):
    """A user of an application: no tag, one password, everything in its own vhosts. More is left alone."""

    kind: ClassVar[str] = "rabbitmq-account"
    credential_proofs: ClassVar[tuple[str, ...]] = ("password_matches",)
    access: RabbitmqAccess
    user: str
    password: Secret
    vhosts: tuple[str, ...]
    application: str = ""

    @property
    def name(self) -> str:
        return self.user

    @property
    def credential(self) -> Secret:
        return self.password

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"password_matches": True, "tags": (), "vhosts": self.vhosts}

    def query(self) -> Json:
        return {
            **Resource.query(self),
            "access": self.access.order(),
            "password": self.password.reveal(),
            "vhosts": list(self.vhosts),
        }

    def order(self) -> Json:
        return self.query()


class NamesAnswer(TypedDict):
    """Of RabbitmqNames: users with their tags, vhosts, and policies, limits and tracing with what they mean."""

    users: dict[str, list[str]]
    vhosts: list[str]
    rules: dict[str, str]


@dataclass(frozen=True, slots=True)
class RabbitmqNames(Looks):
    """A reading: the names of all users and vhosts."""

    answers: ClassVar[type] = NamesAnswer

    name: str
    access: RabbitmqAccess

    def query(self) -> Json:
        """Return the agent's frame, which holds the password."""
        return {"kind": "rabbitmq-names", "name": self.name, "access": self.access.order()}
