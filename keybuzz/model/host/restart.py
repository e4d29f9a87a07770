"""Restarts as wishes: what ran before a known moment must have begun anew since. Never part of a description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keybuzz.model.core.resource import Attributes, Json, Resource
from keybuzz.model.core.secret import DigestKey


@dataclass(frozen=True, slots=True)
class ContainerRestart(Resource):
    """The wish that a container has started again since it was seen."""

    kind: ClassVar[str] = "container-restart"
    container: str
    stop_timeout: int = 60
    """Seconds between TERM and KILL."""
    seen: str = ""
    """Docker's StartedAt, as the host told it when the restart began."""

    @property
    def name(self) -> str:
        return self.container

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"restarted": True}

    def query(self) -> Json:
        return {**Resource.query(self), "seen": self.seen}

    def order(self) -> Json:
        return {**self.query(), "stop_timeout": self.stop_timeout}

    def disrupts(self, observed: Attributes) -> bool:
        return observed.get("running") is True


@dataclass(frozen=True, slots=True)
class ServiceRestart(Resource):
    """The wish that a systemd unit has started again since it was seen."""

    kind: ClassVar[str] = "service-restart"
    unit: str
    seen: str = ""
    """systemd's InvocationID, as the host told it when the restart began."""

    @property
    def name(self) -> str:
        return self.unit

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"restarted": True}

    def query(self) -> Json:
        return {**Resource.query(self), "seen": self.seen}

    def order(self) -> Json:
        return self.query()

    def disrupts(self, observed: Attributes) -> bool:
        return observed.get("running") is True


@dataclass(frozen=True, slots=True)
class Reboot(Resource):
    """The wish that a host has booted again since it was seen."""

    kind: ClassVar[str] = "reboot"
    seen: str = ""
    """The kernel's boot_id when the restart began."""

    @property
    def name(self) -> str:
        return "host"

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"restarted": True}

    def query(self) -> Json:
        return {**Resource.query(self), "seen": self.seen}

    def order(self) -> Json:
        return self.query()

    def disrupts(self, observed: Attributes) -> bool:
        del observed
        return True
