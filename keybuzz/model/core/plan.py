"""Observed states, and the changes that lead from them to a description. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from keybuzz.model.core.resource import Attributes, Resource, Value
from keybuzz.model.core.visible import in_one_line, one_line


@dataclass(frozen=True, slots=True)
class State:
    """What a host answered about one resource."""

    identity: str
    present: bool
    attributes: Attributes = field(default_factory=dict)
    text: str | None = None
    """Masked text of a file, for the diff."""
    problem: str = ""
    """Why it could not be read now, such as "Docker does not answer"."""


class Action(Enum):
    """What a change does to its resource."""

    CREATE = "create"
    UPDATE = "update"
    LATER = "later"
    """It cannot be read before an earlier change of the plan: known after apply."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One attribute that is not as wanted."""

    attribute: str
    observed: Value
    wanted: Value


@dataclass(frozen=True, slots=True)
class Change:
    """One resource on one host that is not as described."""

    host: str
    module: str
    resource: Resource
    action: Action
    differences: tuple[Difference, ...] = ()
    disrupts: bool = False
    """True when applying it interrupts a service that runs now: the quorum guard counts it."""
    diff: str = ""
    reason: str = ""
    effects: tuple[str, ...] = ()
    """What else applying it does to what runs there now, such as `closes: 25 (mail)`."""

    def __post_init__(self) -> None:
        in_one_line(self, "reason")
        object.__setattr__(self, "effects", tuple(map(one_line, self.effects)))

    @property
    def identity(self) -> str:
        """Identity of the resource."""
        return self.resource.identity


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """A resource that the site's overlay says this kind of host cannot hold. Reported, never silent."""

    host: str
    identity: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes of all hosts, in the order of the description."""

    changes: Mapping[str, tuple[Change, ...]]
    not_applicable: tuple[NotApplicable, ...] = ()

    @property
    def size(self) -> int:
        """Number of changes."""
        return sum(len(changes) for changes in self.changes.values())

    def of(self, host: str) -> tuple[Change, ...]:
        """Return the changes of one host."""
        return self.changes.get(host, ())
