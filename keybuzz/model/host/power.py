"""What a drill does to a container, as wishes: killed, stopped, running again. Never part of a description.

The host's agent does it over the engine's own socket: no program is needed that a host may not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keybuzz.model.core.resource import Attributes, Json, Resource
from keybuzz.model.core.secret import DigestKey


@dataclass(frozen=True, slots=True)
class ContainerKilled(Resource):
    """The wish that a container's first process dies at once, as it does when the kernel kills it."""

    kind: ClassVar[str] = "container-killed"
    container: str

    @property
    def name(self) -> str:
        return self.container

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"killed": True}

    def order(self) -> Json:
        return self.query()

    def disrupts(self, observed: Attributes) -> bool:
        return observed.get("running") is True


@dataclass(frozen=True, slots=True)
class ContainerStarted(Resource):
    """The wish that a container that is there runs now."""

    kind: ClassVar[str] = "container-started"
    container: str

    @property
    def name(self) -> str:
        return self.container

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"running": True}

    def order(self) -> Json:
        return self.query()
