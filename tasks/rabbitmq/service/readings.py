"""What checks ask of RabbitMQ over its own protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from keybuzz.model.core.access import Looks
from keybuzz.model.core.resource import Json
from keybuzz.model.core.secret import Secret
from tasks.rabbitmq.service.resources import RabbitmqAccess


class AmqpAnswer(TypedDict):
    """Of AmqpLogin."""

    accepted: bool
    reason: str
    cluster: str


@dataclass(frozen=True, slots=True)
class AmqpLogin(Looks):
    """A real login to RabbitMQ by AMQP; the answer is {"accepted": bool, "reason": str, "cluster": its name}."""

    answers: ClassVar[type] = AmqpAnswer
    name: str
    address: str
    user: str
    password: Secret
    port: int = 5672
    vhost: str = "/"
    timeout: float = 3.0
    """Seconds."""

    def query(self) -> Json:
        """Return the agent's frame, which holds the password."""
        return {
            "kind": "amqp-login",
            "name": self.name,
            "address": self.address,
            "port": self.port,
            "user": self.user,
            "password": self.password.reveal(),
            "vhost": self.vhost,
            "timeout": self.timeout,
        }


class FlagsAnswer(TypedDict):
    """Of RabbitmqFlags."""

    off: list[str]
    """Stable feature flags that are not enabled."""
    tried: list[str]
    """Experimental ones that are."""
    mirrored: list[str]
    """Policies that mirror classic queues."""


@dataclass(frozen=True, slots=True)
class RabbitmqFlags(Looks):
    """A reading: what may keep the node from its next series."""

    answers: ClassVar[type] = FlagsAnswer

    name: str
    access: RabbitmqAccess

    def query(self) -> Json:
        """Return the agent's frame, which holds the password."""
        return {"kind": "rabbitmq-flags", "name": self.name, "access": self.access.order()}
