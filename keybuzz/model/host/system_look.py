"""The question to a host how it is, and from where on the answer is a finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from keybuzz.model.core.access import Looks
from keybuzz.model.core.resource import Json


class DiskAnswer(TypedDict):
    """One file system."""

    path: str
    read_only: bool
    bytes: int
    used: float
    inodes_used: float


class MemoryAnswer(TypedDict):
    """In bytes."""

    total: int
    available: int


class ContainerAnswer(TypedDict):
    """One container's restarts; `up` is in seconds, None for one that never ran."""

    name: str
    restarting: bool
    running: bool
    paused: bool
    restarts: int
    oom_killed: bool
    up: float | None


class SystemAnswer(TypedDict):
    """Of SystemLook; None for what cannot be told on this host."""

    clock: float
    disks: list[DiskAnswer]
    sick_mounts: list[tuple[str, str]]
    """Mount points that do not answer, each with what is wrong."""
    memory: MemoryAnswer
    load: tuple[float, float, float]
    cpus: int
    kernel: str
    oom_kills: list[str] | None
    time_servers: list[str]
    clock_synchronised: bool | None
    resolvers: list[str] | None
    hostname: str
    name_servers: list[str]
    """Of /etc/resolv.conf, which programs read."""
    names: list[tuple[str, list[str]]]
    """Address and names of each line of /etc/hosts."""
    names_cut: bool
    """There is more than is read of it."""
    containers: list[ContainerAnswer] | None


@dataclass(frozen=True, slots=True)
class SystemLimits:
    """From where on a system check says something (inventory/site.yaml, health.…)."""

    disk_warn: float = 75.0
    """Percent of a file system, and of its inodes."""
    disk_critical: float = 90.0
    memory_warn: float = 10.0
    """Percent that is still available."""
    memory_critical: float = 5.0
    load_per_cpu: float = 4.0
    """Of the last 15 minutes."""
    clock_warn: float = 0.5
    """Seconds away from the median of all hosts."""
    clock_critical: float = 5.0
    restarts: int = 3
    """Of one container, when it came up within the last hour."""


@dataclass(frozen=True, slots=True)
class SystemLook(Looks):
    """How the host is; the answer is keybuzz.agent.readings.system_look. One look, from the kernel's files."""

    answers: ClassVar[type] = SystemAnswer
    name: str
    limits: SystemLimits = SystemLimits()
    seconds: float = 86400.0
    """How far back the kernel's messages are read for processes killed for want of memory."""

    def query(self) -> Json:
        """Return the agent's frame."""
        return {"kind": "system", "name": self.name, "seconds": self.seconds}
