"""What PostgreSQL says of the slot and of itself, as a typed value. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from keybuzz.model.core.live import HostView
from tasks.backup.desired import SOURCE


@dataclass(frozen=True, slots=True)
class Source:
    """The leader, seen through the official endpoint."""

    system: str
    """The number that initdb gave the cluster."""
    there: bool
    active: bool
    """True while something reads the slot."""
    state: str
    """PostgreSQL's word for the slot's WAL: reserved, extended, unreserved or lost."""
    kept: int
    """Bytes of WAL that it keeps."""
    rights: bool
    """The role may do all that a base backup needs."""
    bound: int
    """Bytes of WAL that any slot may keep; -1 where that is not bounded."""


def source_of(view: HostView) -> Source | str:
    """Return the source, or why it is not known."""
    answer = view.answer(SOURCE)
    if not answer.known:
        return answer.problem
    if not answer.value["accepted"]:
        return answer.value["reason"] or "the endpoint does not let Barman's account in"
    row = answer.value.get("row", [])
    if len(row) != 6 or not all(row[at].removeprefix("-").isdecimal() for at in (3, 5)):
        return "PostgreSQL does not say how its slot is"
    system, active, state, kept, rights, bound = row
    return Source(
        system,
        active != "none",
        active == "true",
        state,
        int(kept),
        rights == "true",
        max(int(bound) << 20, -1),
    )
