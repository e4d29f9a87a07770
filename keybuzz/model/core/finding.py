"""What a check says. A check never raises to say "unhealthy"."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from keybuzz.model.core.visible import in_one_line


class Level(IntEnum):
    """Ordered by how much an operator should care; unknown is worse than warn: nobody looked."""

    OK = 0
    WARN = 1
    UNKNOWN = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """Lower-case word for every output."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict of one check on one host, or on a whole cluster when `host` is empty."""

    check: str
    """Stable id, such as `patroni.leader.single`."""
    level: Level
    message: str
    host: str = ""
    hint: str = ""
    cause: str = ""
    """Id of the check whose failure explains this finding; empty when it stands for itself."""

    def __post_init__(self) -> None:
        in_one_line(self, "message", "host", "hint")

    @property
    def good(self) -> bool:
        """True when nobody needs to act: ok, or a warning that does not stop a gate."""
        return self.level <= Level.WARN


@dataclass(frozen=True, slots=True)
class CheckInfo:
    """What a check id means, for whoever reads it at night: the registry of `docs/health.md` and `kbz explain`."""

    id: str
    title: str
    """What it looks at, in a few words."""
    meaning: str
    """What a finding above ok says about the service."""
    next_step: str
    """What the operator does first."""
    levels: tuple[Level, ...] = (Level.CRITICAL,)
    """Levels above ok that it can say."""
    follows_here: tuple[str, ...] = ()
    """Checks whose failure on the same host explains this one."""
    follows: tuple[str, ...] = ()
    """Checks whose failure anywhere explains this one."""
    gates: bool = True
    """False when `kbz run` may go on to the next module all the same: what it does may be the cure."""
    lasting: bool = False
    """True when waiting does not change it, where it is critical: a gate fails as soon as that is certain."""
    restart: bool = False
    """True when a restart of the member is what ends it: `kbz restart` goes on in spite of it."""
