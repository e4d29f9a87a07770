"""Questions about the programs of a host: their versions, and the ends of their logs. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from keybuzz.model.core.access import Looks
from keybuzz.model.core.resource import Json


class ProgramsAnswer(TypedDict):
    """Of Programs; an empty text where there is no such program."""

    system: str
    """ID and VERSION_ID, such as `debian 12`."""
    kernel: str
    docker: str
    python: str


class LogEndAnswer(TypedDict):
    """Of LogEnd: whole lines only, so that the name of a secret is not cut off from its value."""

    stdout: str
    stderr: str
    stdout_cut: bool
    """True where earlier lines had no room; nothing is left where the last one alone had none."""
    stderr_cut: bool


@dataclass(frozen=True, slots=True)
class Programs(Looks):
    """The versions of the system, the kernel, Docker and Python."""

    answers: ClassVar[type] = ProgramsAnswer
    name: str

    def query(self) -> Json:
        """Return the agent's frame."""
        return {"kind": "programs", "name": self.name}


@dataclass(frozen=True, slots=True)
class LogEnd(Looks):
    """The last lines of a container's log or, with `unit`, of a systemd unit's, up to `most` bytes of each stream."""

    answers: ClassVar[type] = LogEndAnswer
    name: str
    of: str
    """The container or the unit."""
    unit: bool
    lines: int
    most: int

    def query(self) -> Json:
        """Return the agent's frame."""
        return {
            "kind": "log-end",
            "name": self.name,
            "of": self.of,
            "unit": self.unit,
            "lines": self.lines,
            "most": self.most,
        }
