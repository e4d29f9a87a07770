"""A new API key for Qdrant. Pure.

The key is in the container's environment: the one node is replaced, and clients need the new key from then on.
"""

from __future__ import annotations

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.host.docker import Container
from keybuzz.model.host.login import refusal
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Rotation
from keybuzz.site.site import Site
from tasks.qdrant.desired import look
from tasks.qdrant.readings import QdrantLook
from tasks.qdrant.rollout import START_TIMEOUT

LOGIN = "a request with the new API key"
"""Name of the reading; the stages look at it too."""


def next_stage(live: Live) -> Stage | None:
    """Return the next stage: the node is replaced, and takes the new key."""
    ready = tuple(change for change in live.changes() if change.action is not Action.LATER)
    for change in ready:
        if not _key_alone(change):
            raise RefusedError(
                f"{change.identity} is not as described, and a rotation changes the key only",
                where=change.host,
                hint="kbz run qdrant first",
            )
    taken = Gate("Qdrant takes the new API key", _not_taken, START_TIMEOUT)
    if ready:
        return Stage("Qdrant takes the new API key", ready, after=taken, interrupts=live.module)
    return Stage("wait", (), after=taken) if _not_taken(live) else None


def _key_alone(change: Change) -> bool:
    """Return whether it is the container, and differs where its key is."""
    differing = {difference.attribute for difference in change.differences}
    made = change.action is Action.CREATE or differing == {"environment"}
    return isinstance(change.resource, Container) and made


def _not_taken(live: Live) -> str | None:
    for host, view in live.hosts.items():
        if why := refusal(view.answer(LOGIN)):
            return f"{host}: {why}"
    return None


def _logins(site: Site, server: Server) -> tuple[QdrantLook, ...]:
    return (look(site, server, LOGIN),)


ROTATIONS = (
    Rotation(
        "qdrant",
        "QDRANT_API_KEY",
        next_stage,
        _logins,
        outage="the one node of Qdrant is replaced: nothing is served until it has started, with the new key",
    ),
)
