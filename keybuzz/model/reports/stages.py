"""The stages that a run would take from what the hosts are now, in order. Pure values."""

from __future__ import annotations

from dataclasses import dataclass

from keybuzz.model.core.visible import in_one_line


@dataclass(frozen=True, slots=True)
class StageWork:
    """What a stage does on one host."""

    host: str
    roles: tuple[str, ...]
    """What the host is in the clusters that the stage touches there, such as `replica`."""
    changes: int
    interrupts: tuple[str, ...]
    """Resources whose running service is interrupted: its connections end."""

    def __post_init__(self) -> None:
        in_one_line(self, "host")


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One stage."""

    module: str
    name: str
    work: tuple[StageWork, ...]
    refused: str = ""
    """Why a run refuses this, and what to do about it; empty when it would not. The first one ends the run."""
    open: bool = False
    """True for what is left to do in stages that cannot be foretold: the hosts have changed by then."""

    reached: bool = True
    """False behind a refused stage: a run takes this one once nothing before it is refused."""
    heirs: tuple[str, ...] = ()
    """The members of which one leads after this stage; empty where the leader stays."""

    def __post_init__(self) -> None:
        in_one_line(self, "name", "refused")
