"""How far a session with a host may go, and how far each reading does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import ClassVar

from keybuzz.model.core.resource import Json


class Access(Enum):
    """What the agent of a session lets happen on its host. It is fixed when the session is opened."""

    LOOK = "look"
    """Nothing is written: no file, no key, no row, no transaction id."""
    PROBE = "probe"
    """As LOOK, and a probe may be written that removes itself."""
    CHANGE = "change"
    """Everything."""

    def allows(self, needed: Access) -> bool:
        """Return whether a session of this access may do what needs the other."""
        order = tuple(Access)
        return order.index(needed) <= order.index(self)


class Asked(ABC):
    """A question that a host answers: what a description reads besides its resources."""

    __slots__ = ()
    needs: ClassVar[Access]
    answers: ClassVar[type]
    """Shape of the answer's value; what a host sends besides is dropped."""
    name: str
    """By which checks find the answer: unique on a host, so it begins with its module's name."""

    @abstractmethod
    def query(self) -> Json:
        """Return the agent's frame. It may hold secrets."""


class Looks(Asked):
    """A reading that changes nothing where it is answered."""

    __slots__ = ()
    needs: ClassVar[Access] = Access.LOOK


class Probes(Asked):
    """A reading that writes a probe, or asks in the form of a change: for `--deep`, and for gates."""

    __slots__ = ()
    needs: ClassVar[Access] = Access.PROBE


class Changes(Asked):
    """A reading whose answer costs a change on the host: for verbs that change hosts anyway."""

    __slots__ = ()
    needs: ClassVar[Access] = Access.CHANGE
