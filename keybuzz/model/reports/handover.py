"""A lead that is handed over on purpose: who may take it, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from keybuzz.model.core.visible import in_one_line
from keybuzz.model.reports.drill import Tally


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member that does not lead now."""

    host: str
    state: str
    """What its daemon says of it."""
    unable: str = ""
    """Why it cannot take over now; empty when it can."""

    def __post_init__(self) -> None:
        in_one_line(self, "state", "unable")


@dataclass(frozen=True, slots=True)
class PlannedHandover:
    """What `kbz switchover` would do."""

    cluster: str
    leader: str
    """Host that leads now."""
    candidates: tuple[Candidate, ...]
    to: str = ""
    """Host that is to lead; empty where the service chooses."""
    endpoint: str = ""
    """Where writes measure the interruption; empty when they do not."""
    lasts: str = ""
    """What ends it, where that is not the next hand-over."""

    @property
    def able(self) -> tuple[str, ...]:
        """Hosts that could take over now."""
        return tuple(found.host for found in self.candidates if not found.unable)


@dataclass(frozen=True, slots=True)
class Handover:
    """What came of it."""

    planned: PlannedHandover
    after: str = ""
    """Host that leads at the end, by the daemons' own word; empty when none does, or it cannot be told."""
    seconds: float | None = None
    """The longest time without an acknowledged write; None when it was not measured."""
    tally: Tally | None = None
    """What became of the writes; None when they were not read back."""
    unmeasured: str = ""
    """Why the interruption was not measured; empty when it was."""

    def __post_init__(self) -> None:
        in_one_line(self, "unmeasured")
