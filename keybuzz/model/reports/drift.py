"""What drift is made of: things with ids that stay the same from run to run, and how each stands. Pure values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from keybuzz.model.core.visible import in_one_line


class Standing(Enum):
    """How a thing stands against the run before."""

    NEW = "new"
    STILL = "still"
    ACCEPTED = "accepted"
    """It is there, and stays as it is for now: policies.yaml says so, of this very state."""
    GONE = "gone"
    UNSEEN = "unseen"
    """It was there, and this run could not look: neither still there nor gone."""


class Kind(Enum):
    """What is wrong with a thing: the first part of its id."""

    DIFFERS = "drift"
    STRAY = "stray"
    """No description explains it."""
    SILENT = "silent"
    """Not a thing, but a host that did not answer."""


@dataclass(frozen=True, slots=True)
class DriftItem:
    """One thing that is not as described."""

    identity: str
    """`drift/HOST/resource`, `drift/MODULE/resource` inside a cluster, `stray/HOST/thing`, or `silent/HOST`."""
    host: str
    what: str
    standing: Standing = Standing.NEW
    since: int = 0
    """The run that saw it first, without a break since."""
    state: str = ""
    """What is there now, to compare only: it is neither shown nor kept. Empty when it cannot be read."""

    def __post_init__(self) -> None:
        in_one_line(self, "identity", "host", "what")

    @property
    def kind(self) -> Kind:
        """What is wrong with it."""
        return Kind(self.identity.partition("/")[0])

    @property
    def place(self) -> str:
        """The host, or the module inside whose cluster it is."""
        return self.identity.split("/", 2)[1]

    @property
    def thing(self) -> str:
        """The id without kind and place, such as `file:/etc/motd`; empty for a silent host."""
        return "".join(self.identity.split("/", 2)[2:])

    @property
    def stray(self) -> bool:
        """True for what no description explains."""
        return self.kind is Kind.STRAY


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All that is not as described, and what has gone since the run before."""

    items: tuple[DriftItem, ...]
    before: int = 0
    """The run that it is compared with; 0 for the first of its scope."""
    newly: frozenset[str] = frozenset()
    """Ids that the run before did not know as accepted: they are told once."""

    def of(self, *standings: Standing) -> tuple[DriftItem, ...]:
        """Return the items that stand so."""
        return tuple(item for item in self.items if item.standing in standings)

    @property
    def present(self) -> tuple[DriftItem, ...]:
        """What is there now."""
        return self.of(Standing.NEW, Standing.STILL)

    @property
    def moved(self) -> bool:
        """True when something came, went, or was accepted since the run before."""
        return bool(self.of(Standing.NEW, Standing.GONE) or self.newly)


def compare(
    found: Iterable[DriftItem],
    before: Iterable[DriftItem],
    looked: Iterable[str],
    number: int,
) -> tuple[DriftItem, ...]:
    """Return every item with its standing, by id.

    `looked` are the ids that this run could have found, or their beginnings up to a `/` or `:`. What was there before
    and is not found is gone only if it was looked for. What is unseen is carried on, so that it is not new once it is
    seen again.
    """
    places = frozenset(looked)
    beginnings = tuple(place for place in places if place.endswith(("/", ":")))
    known = {item.identity: item for item in before if item.standing is not Standing.GONE}
    now: dict[str, DriftItem] = {}
    for item in found:
        old = known.get(item.identity)
        standing = Standing.NEW if old is None else Standing.STILL
        now[item.identity] = replace(item, standing=standing, since=old.since if old else number)
    for identity, old in known.items():
        if identity not in now:
            seen = identity in places or identity.startswith(beginnings)
            now[identity] = replace(old, standing=Standing.GONE if seen else Standing.UNSEEN)
    return tuple(now[identity] for identity in sorted(now))
