"""The one node of Qdrant, as the engine sees it."""

from __future__ import annotations

from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import State
from keybuzz.model.core.reading import Answer
from tasks.qdrant import MODULE
from tasks.qdrant.desired import DATA, NODE
from tests.unit.support.site_values import described, memory_site

HOST = "vector-db-01"
CONTAINER = "container:qdrant"
SAID = {
    "version": "1.19.0",
    "ready": True,
    "accepted": True,
    "reason": "",
    "guarded": True,
    "collections": 2,
}
BY_ROLLOUT = {"QDRANT_API_KEY": "the node does not take the store's key (test_qdrant)"}
"""Credentials that a run leaves alone where the live service has another one, and by what."""
BARE = {NODE: Answer(NODE, problem="Qdrant does not answer"), DATA: Answer(DATA, {"names": []})}
"""What a host without Qdrant answers."""


def description() -> HostDescription:
    """Return what the host must be."""
    return described(memory_site(), MODULE)[HOST]


def world(
    *, absent: tuple[str, ...] = (), answers: dict[str, Answer] | None = None, away: bool = False
) -> Live:
    """Return the node as described, but for these resources that are not there and these answers."""
    site, known = memory_site(), {HOST: description()}
    states = {
        r.identity: State(
            r.identity,
            not any(word in r.identity for word in absent),
            dict(r.wanted(site.digest_key)),
        )
        for r in known[HOST].modules["qdrant"].resources
    }
    said = {
        NODE: Answer(NODE, SAID),
        DATA: Answer(DATA, {"there": True, "names": ["collections"]}),
        **(answers or {}),
    }
    seen = {} if away else {HOST: Observation(states, said)}
    snapshot = Snapshot(seen, {HOST: "no route"} if away else {})
    return View(known, snapshot, frozenset(known), site.digest_key).live(MODULE, site)


def healthy() -> Live:
    """Return the node in health."""
    return world()
