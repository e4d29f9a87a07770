"""How far a session may go. The words are those of keybuzz.model.core.access.

The controller fixes it in its first frame, before the agent greets; no later frame goes further.
"""

from __future__ import annotations

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.runtime.frames import FrameError

LOOK, PROBE, CHANGE = "look", "probe", "change"
_ORDER = (LOOK, PROBE, CHANGE)


class LookOnlyError(AgentError):
    """What was asked for goes further than this session may."""

    def __init__(self, what: str, access: str) -> None:
        limit = "only looks" if access == LOOK else "looks and writes probes only"
        super().__init__(
            f"{what} is refused: this session {limit}",
            "nothing was changed",
            outcome="refused",
        )


def parse(word: object) -> str:
    """Return the access that a first frame asks for; FrameError for one that there is not."""
    if word not in _ORDER or not isinstance(word, str):
        raise FrameError(f"a session was to be opened for {word!r}, which is none of {_ORDER}")
    return word


def require(access: str, needed: str, what: str) -> None:
    """Raise LookOnlyError when a session of this access may not do what needs the other."""
    if _ORDER.index(access) < _ORDER.index(needed):
        raise LookOnlyError(what, access)
