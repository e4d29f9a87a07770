"""The question to a host whether it has what a first run needs and cannot make. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from keybuzz.model.core.access import Looks
from keybuzz.model.core.resource import Json


class ReadinessAnswer(TypedDict):
    """Of Readiness."""

    sources: list[tuple[str, str]]
    """Each package source, and why it is not reached: empty when it is."""
    balancers: list[tuple[str, str]]
    """Each load balancer that was asked for, alike."""
    mounts: list[tuple[str, str]]
    """Mount point and type of file system."""
    fstab: list[tuple[str, str]]
    """Source and mount point."""
    units: list[tuple[str, str]]
    """Alike, of the .mount units that are enabled."""
    architecture: str
    kernel: str
    """Its release."""
    machine: str
    """A digest of the machine id; empty without one."""
    firewalls: list[str]
    """Services of other firewalls than ufw that start with the system."""


@dataclass(frozen=True, slots=True)
class Readiness(Looks):
    """Look at package sources, volumes, the machine itself and, where asked, load balancers."""

    answers: ClassVar[type] = ReadinessAnswer

    name: str
    balancers: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Address and ports of those that this host is to reach."""

    def query(self) -> Json:
        """Return the agent's frame."""
        asked = [[address, list(ports)] for address, ports in self.balancers]
        return {"kind": "readiness", "name": self.name, "balancers": asked}
