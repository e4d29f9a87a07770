"""What stands between what runs and its description. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Way(Enum):
    """What it takes to bring one difference to the description."""

    LIVE = "takes effect without a restart"
    RESTART = "needs a restart, one member at a time"
    LATER = "cannot be read before an earlier change"
    DECISION = "needs a decision"


@dataclass(frozen=True, slots=True)
class Difference:
    """One resource that is not as described."""

    host: str
    identity: str
    way: Way
    attributes: tuple[str, ...]
    frozen: bool = False
    """A run does not change it before the freeze is lifted."""
    effects: tuple[str, ...] = ()
    """What it does beside the change, such as the ports that a firewall closes and who is connected to them."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a run would change nothing of a module, and the way out."""

    what: str
    hint: str


@dataclass(frozen=True, slots=True)
class Interruption:
    """How long clients of one service wait while a run restarts its members, at most."""

    service: str
    members: int
    """Members that are restarted, one at a time."""
    seconds: float | None
    """Of all waits together; None where nothing says how long one is."""
    source: str
    """Where the figure of one wait comes from: a drill of this site, or the declaration of the module."""


@dataclass(frozen=True, slots=True)
class ModuleAdoption:
    """What stands between one module as it runs and its description."""

    module: str
    running: tuple[tuple[str, str], ...]
    """Host, and what runs there by its own word."""
    differences: tuple[Difference, ...]
    refusals: tuple[Refusal, ...]
    frozen: bool
    """A run needs --lift-freeze."""
    files: int
    restarts: int
    interruptions: tuple[Interruption, ...] = ()
    entries: tuple[str, ...] = ()
    """Modules to bring over before: their old entries lead to the same member after this cluster has handed over."""

    @property
    def counted(self) -> Mapping[Way, int]:
        """Differences by what they take."""
        return {way: sum(d.way is way for d in self.differences) for way in Way}


@dataclass(frozen=True, slots=True)
class Adoption:
    """Everything that `kbz adopt` found."""

    modules: tuple[ModuleAdoption, ...]
    unreachable: Mapping[str, str]
    seconds: float

    @property
    def done(self) -> bool:
        """True when every module is as described, and nothing is in the way."""
        return not self.unreachable and not any(
            item.differences or item.refusals for item in self.modules
        )
