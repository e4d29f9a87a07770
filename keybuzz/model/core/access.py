"""How far a session with a host may go, and how far each reading does."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


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


class Looks:
    """A reading that changes nothing where it is answered."""

    __slots__ = ()
    needs: ClassVar[Access] = Access.LOOK


class Probes:
    """A reading that writes a probe, or asks in the form of a change: for `--deep`, and for gates."""

    __slots__ = ()
    needs: ClassVar[Access] = Access.PROBE


class Changes:
    """A reading whose answer costs a change on the host: for verbs that change hosts anyway."""

    __slots__ = ()
    needs: ClassVar[Access] = Access.CHANGE
