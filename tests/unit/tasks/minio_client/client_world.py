"""The controller with mc and its alias, as the engine sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import State
from keybuzz.model.core.reading import Answer
from keybuzz.site.site import Site
from tasks.minio_client import MODULE
from tasks.minio_client.desired import LOGIN
from tests.unit.support.site_values import described, memory_site

HOST = "install-01"
ALIAS_ID = "minio-alias:/root/.mc/config.json"
PROGRAM_ID = "artefact:/usr/local/bin/mc"
TAKEN = Answer(LOGIN, {"accepted": True, "reason": ""})


def live(
    states: Mapping[str, State],
    answer: Answer = TAKEN,
    site: Site | None = None,
    *,
    away: bool = False,
) -> Live:
    """Return the controller with these states; what is not among them is absent."""
    used = site or memory_site()
    known = {HOST: described(used, MODULE)[HOST]}
    wanted = known[HOST].modules["minio-client"].resources
    found = {
        item.identity: states.get(item.identity, State(item.identity, False)) for item in wanted
    }
    snapshot = (
        Snapshot({}, {HOST: "no route"})
        if away
        else Snapshot({HOST: Observation(found, {LOGIN: answer})})
    )
    return View(known, snapshot, frozenset(known), used.digest_key).live(MODULE, used)


def good(site: Site | None = None) -> dict[str, State]:
    """Return the states of a controller that is as described."""
    used = site or memory_site()
    resources = described(used, MODULE)[HOST].modules["minio-client"].resources
    found = {
        item.identity: State(item.identity, True, dict(item.wanted(used.digest_key)))
        for item in resources
    }
    return {**found, ALIAS_ID: with_alias(found[ALIAS_ID], others=())}


def with_alias(state: State, **attributes: object) -> State:
    """Return the alias with other attributes."""
    return replace(state, attributes={**state.attributes, **attributes})  # type: ignore[dict-item]  # a test's own words


def healthy() -> Live:
    """Return the controller in health."""
    return live(good())
