"""The credential of Patroni's REST interface, as a member that lives on a host was given it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keybuzz.model.core.resource import Attributes, Json, Resource
from keybuzz.model.core.secret import DigestKey, Secret


@dataclass(frozen=True, slots=True)
class PatroniRestPassword(Resource):
    """The password of a living member's REST interface. It is compared and never written: its file brings it."""

    kind: ClassVar[str] = "patroni-rest-password"
    credential_proofs: ClassVar[tuple[str, ...]] = ("password_matches",)
    container: str
    """By whose configuration and variables it is known."""
    password: Secret

    @property
    def credential(self) -> Secret:
        return self.password

    @property
    def name(self) -> str:
        return self.container

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"password_matches": True}

    def query(self) -> Json:
        return {**Resource.query(self), "password": self.password.reveal()}

    def order(self) -> Json:
        return self.query()
