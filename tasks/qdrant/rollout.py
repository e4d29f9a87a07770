"""The next step for Qdrant, from its live state. Pure.

There is one node: what replaces its container interrupts the service, and the gate waits until it serves again.
Nothing here deletes data.
"""

from __future__ import annotations

import re

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import Unread
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action
from keybuzz.model.host.docker import Container
from tasks.qdrant import values
from tasks.qdrant.members import Node, nodes, not_serving

_MINOR = re.compile(r"(?:^|:)v?(\d{1,4})\.(\d{1,4})(?!\d)")
START_TIMEOUT = 300.0
"""Seconds: it loads all collections first."""


def next_stage(live: Live) -> Stage | None:
    """Return the next stage, or None when nothing is left to do."""
    refuse_foreign(live)
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    containers = tuple(c for c in ready if isinstance(c.resource, Container))
    around = tuple(change for change in ready if change not in containers)
    serves = Gate("Qdrant serves", not_serving, START_TIMEOUT)
    if around:
        return Stage("prepare", around)
    if containers:
        verb = "replace" if any(change.disrupts for change in containers) else "start"
        return Stage(f"{verb} {values.CONTAINER}", containers, after=serves)
    waiting = any(node.running for host, node in nodes(live).items() if host in live.selected)
    return Stage("wait", (), after=serves) if waiting and not_serving(live) else None


def refuse_foreign(live: Live) -> None:
    """Raise RefusedError for a node that a run would take from its clients, or whose data it could not open."""
    for host, node in nodes(live).items():
        if host not in live.selected:
            continue
        if node.foreign:
            raise RefusedError(
                "Qdrant does not take the API key of qdrant.env, and a run never changes a live one",
                where=host,
                hint="kbz adopt qdrant --take-credentials finds it; to replace it then: kbz secrets rotate qdrant",
            )
        if why := _too_far(node):
            raise RefusedError(
                why,
                where=host,
                hint="only the same minor version or the next one opens its data: take each on the way "
                "(docs/how-to/upgrade-an-image.md)",
            )
        if node.collections and node.guarded is False:
            raise RefusedError(
                f"Qdrant serves {node.collections} collections without a key: with one its clients are refused",
                where=host,
                hint="give the key of qdrant.env to its clients, stop it (docker stop qdrant), then run again",
            )
        if node.owner not in (None, values.UID) and not node.empty:
            raise RefusedError(
                f"{values.STORAGE} holds data of user {node.owner}, which the image's user {values.UID} cannot open",
                where=host,
                hint=f"stop the old container, chown -R {values.UID}:{values.UID} {values.STORAGE}, then run again",
            )


def _too_far(node: Node) -> str:
    """Return why the described version may not open a node's data (qdrant.tech/documentation/upgrades).

    A node that does not answer has the version of its container's image; data in our own folder without a container
    is of the described one.
    """
    if node.empty or (not node.present and node.owner == values.UID):
        return ""
    runs = node.image if isinstance(node.version, Unread) else node.version
    old, new = _MINOR.search(runs), _MINOR.search(node.described)
    if old is None or new is None:
        return f"{values.STORAGE} holds data, and of which version it is cannot be told ({runs or 'no container'})"
    (old_major, old_minor), (new_major, new_minor) = (
        tuple(map(int, found.groups())) for found in (old, new)
    )
    if old_major == new_major and new_minor - old_minor in (0, 1):
        return ""
    return f"the data is of Qdrant {runs}, and {node.described} is described"
