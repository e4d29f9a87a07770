"""What checks ask of RabbitMQ over its own protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from keybuzz.model.core.access import Looks
from keybuzz.model.core.resource import Json
from keybuzz.model.core.secret import Secret


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
