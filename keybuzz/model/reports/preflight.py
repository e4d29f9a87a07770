"""What stands between a site and its first run: obstacles, each with what to do. Pure values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.visible import in_one_line
from keybuzz.model.reports.folding import placeless

CONTROLLER = "this machine"
"""Where an obstacle is that no server has."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that would stop the first run, or that it should not meet."""

    where: tuple[str, ...]
    """Servers, or CONTROLLER."""
    about: str
    """In a word or two: `SSH`, `firewall`, `clock`."""
    what: str
    todo: str
    stops: bool = True
    """False for what a run goes on with."""

    def __post_init__(self) -> None:
        in_one_line(self, "about", "what", "todo")


@dataclass(frozen=True, slots=True)
class Preflight:
    """Everything that was looked at."""

    obstacles: tuple[Obstacle, ...]
    asked: int
    answered: int
    seconds: float
    absent: tuple[str, ...] = ()
    """Never started in this lab: not looked at."""

    @property
    def exit_code(self) -> ExitCode:
        """0 when the first run would go through."""
        stops = any(obstacle.stops for obstacle in self.obstacles)
        if self.answered < self.asked:
            return ExitCode.UNREACHABLE
        return ExitCode.DIFFERENT if stops else ExitCode.GOOD


def together(obstacles: Iterable[Obstacle]) -> tuple[Obstacle, ...]:
    """Return each obstacle once, with all places that it is at; what stops comes first."""
    grouped: dict[tuple[bool, str, str], list[Obstacle]] = defaultdict(list)
    for item in obstacles:
        host = item.where[0] if item.where else ""
        grouped[not item.stops, item.about, placeless(item.what, host)].append(item)
    found: list[Obstacle] = []
    for (_, _, what), same in sorted(grouped.items(), key=lambda entry: entry[0][:2]):
        where = tuple(dict.fromkeys(host for item in same for host in item.where))
        first = same[0]
        found.append(first if len(where) == 1 else replace(first, where=where, what=what))
    return tuple(found)
