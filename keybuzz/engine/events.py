"""What happens during a run, told once, and shown by any number of reporters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keybuzz.model.core.finding import Finding
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Plan
from keybuzz.model.core.visible import in_one_line


@dataclass(frozen=True, slots=True)
class Reading:
    """Hosts are being asked about themselves."""

    hosts: int
    purpose: str


@dataclass(frozen=True, slots=True)
class HostsLost:
    """Hosts could not be reached, or stopped answering, for one and the same reason."""

    hosts: tuple[str, ...]
    reason: str

    def __post_init__(self) -> None:
        in_one_line(self, "reason")


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan before anything is changed."""

    plan: Plan
    read: int
    """Hosts that answered: of the others nothing is known."""
    unread: int = 0


@dataclass(frozen=True, slots=True)
class StageStarted:
    """Changes are about to be applied on some hosts at once."""

    module: str
    name: str
    hosts: tuple[str, ...]
    changes: int


@dataclass(frozen=True, slots=True)
class StageEnded:
    """All changes of a stage were tried."""

    module: str
    name: str
    hosts: tuple[str, ...]
    made: int
    """Changes that were made, or found made."""
    changes: int


@dataclass(frozen=True, slots=True)
class StepStarted:
    """One change on one host begins."""

    host: str
    identity: str


@dataclass(frozen=True, slots=True)
class StepEnded:
    """One change on one host ended."""

    host: str
    identity: str
    outcome: Outcome
    what: str = ""
    hint: str = ""

    def __post_init__(self) -> None:
        in_one_line(self, "what", "hint")


@dataclass(frozen=True, slots=True)
class Postponed:
    """A module's next stage is not allowed now; it is tried again after the others."""

    module: str
    reason: str

    def __post_init__(self) -> None:
        in_one_line(self, "reason")


@dataclass(frozen=True, slots=True)
class BatchEnded:
    """All hosts of a batch are as described; the next batch begins after the pause."""

    module: str
    done: int
    left: int
    """Hosts that are not begun."""
    pause: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A host has failed, and the run goes on without it."""

    host: str
    reason: str

    def __post_init__(self) -> None:
        in_one_line(self, "reason")


@dataclass(frozen=True, slots=True)
class NotLed:
    """An entry does not lead elsewhere while a member behind it is interrupted: it would, or does, follow by itself."""

    module: str
    reason: str

    def __post_init__(self) -> None:
        in_one_line(self, "reason")


@dataclass(frozen=True, slots=True)
class GateWaiting:
    """A gate does not hold yet; told when its reason changes."""

    name: str
    reason: str

    def __post_init__(self) -> None:
        in_one_line(self, "name", "reason")


@dataclass(frozen=True, slots=True)
class GateHeld:
    """A gate holds."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ImageWork:
    """An image is built or handed out."""

    reference: str
    doing: str

    def __post_init__(self) -> None:
        in_one_line(self, "doing")


@dataclass(frozen=True, slots=True)
class Judged:
    """The findings of the checks at the end."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Drilled:
    """A drill did, or waits for, something."""

    sentence: str

    def __post_init__(self) -> None:
        in_one_line(self, "sentence")


@dataclass(frozen=True, slots=True)
class Arranged:
    """Modules are taken side by side: each with those that it waits for."""

    waits: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ModuleBegun:
    """A module begins, next to others that are at work."""

    module: str


@dataclass(frozen=True, slots=True)
class ModuleEnded:
    """A module has ended, next to others that are at work."""

    module: str
    seconds: float
    error: str = ""
    """Empty when it ended well."""

    def __post_init__(self) -> None:
        in_one_line(self, "error")


@dataclass(frozen=True, slots=True)
class NotBegun:
    """A module is not begun, because of modules that did not end well."""

    module: str
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Beside:
    """What happens in one module, while others are at work too."""

    module: str
    event: Event


Event = (
    Reading
    | HostsLost
    | Planned
    | StageStarted
    | StageEnded
    | StepStarted
    | StepEnded
    | Postponed
    | BatchEnded
    | LeftOut
    | NotLed
    | GateWaiting
    | GateHeld
    | ImageWork
    | Judged
    | Drilled
    | Arranged
    | ModuleBegun
    | ModuleEnded
    | NotBegun
    | Beside
)
Listener = Callable[[Event], None]
"""Called from several threads at once; it locks what it must and never raises."""
