"""Which images and programs stand in for the real ones where those cannot be fetched.

Each module says so in the contract of its stand-in (tasks/<module>/stand_in/<recipe>.yaml). A stand-in has the
reference and the interface of the real one (paths, user, environment, entry point), and says in a label what it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from keybuzz.lab.hosts.recipe import IMAGE, IMAGE_13, BaseRecipe
from keybuzz.lab.supply.contract import Form, contracts
from keybuzz.model.inventory.server import Server


@dataclass(frozen=True, slots=True)
class StandIn:
    """One image that the lab makes itself."""

    reference: str
    """The frozen reference that it answers to."""
    recipe: str
    """Folder below tasks/*/stand_in."""
    provenance: str
    """What it really is."""
    groups: tuple[str, ...]
    """Groups of groups.yaml whose servers need it."""
    debian: BaseRecipe = IMAGE
    """The Debian below it; its Dockerfile names it in FROM."""


@cache
def stand_ins() -> tuple[StandIn, ...]:
    """Return every image that stands in for a frozen one, in the order of their contracts."""
    return tuple(
        StandIn(
            found.made.stands_for,
            found.recipe,
            found.made.provenance,
            found.made.groups,
            {12: IMAGE, 13: IMAGE_13}[found.made.debian],
        )
        for found in contracts()
        if found.made.form is Form.IMAGE
    )


def needed_by(servers: Iterable[Server]) -> tuple[StandIn, ...]:
    """Return the stand-ins that any of these servers needs, in the order of the table."""
    groups = {group for server in servers for group in server.groups}
    return tuple(stand_in for stand_in in stand_ins() if groups.intersection(stand_in.groups))
