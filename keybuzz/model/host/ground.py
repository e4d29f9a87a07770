"""What data of a service is on a host, wherever it lies. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from keybuzz.model.core.access import Looks
from keybuzz.model.core.resource import Json


@dataclass(frozen=True, slots=True)
class Ground:
    """How data of a module's service is recognised, and where older installations kept it."""

    kinds: tuple[str, ...]
    """Of keybuzz.agent.host.data_sweep, such as `postgresql`."""
    own: tuple[str, ...]
    """Folders where the description has it."""
    ports: tuple[int, ...]
    """TCP ports that its programs listen on, told once: drift explains them, the firewall closes them to the public."""
    known: tuple[str, ...] = ()
    """Folders of older installations."""
    former: tuple[int, ...] = ()
    """TCP ports that older installations have open, and the description has not: `kbz drift` reports them."""
    datagrams: tuple[int, ...] = ()
    """UDP ports that it receives on, in a program or in the kernel; the firewall closes them to the public too."""

    @property
    def every_port(self) -> tuple[int, ...]:
        """TCP ports that this service or an older installation of it listens on."""
        return (*self.ports, *self.former)


class SweepAnswer(TypedDict):
    """Of DataSweep."""

    found: list[tuple[str, str, str, str]]
    """Kind, folder, identity, and who has the folder mounted."""
    listening: list[tuple[int, str]]
    """Port and program."""
    problems: list[str]


@dataclass(frozen=True, slots=True)
class DataSweep(Looks):
    """Look for data of a service in all mounts of containers, all volumes, and known folders."""

    answers: ClassVar[type] = SweepAnswer

    name: str
    ground: Ground

    def query(self) -> Json:
        """Return the agent's frame."""
        return {
            "kind": "data-sweep",
            "name": self.name,
            "kinds": list(self.ground.kinds),
            "places": [*self.ground.own, *self.ground.known],
            "ports": list(self.ground.every_port),
        }
