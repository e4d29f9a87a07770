"""Where the live values of PostgreSQL are, for `kbz adopt patroni --take-settings`."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from keybuzz.model.core.live import HostView
from keybuzz.model.core.plan import State
from tasks.patroni import MODULE, values
from tests.unit.tasks.patroni.cluster_world import World, site_of

SHARED = ("max_connections", "wal_keep_size")
STORE, FILE = "patroni-settings:dynamic", f"file:{values.CONFIGURATION}/patroni.yml"
BIRTH = """\
bootstrap:
  dcs:
    postgresql:
      parameters:
        work_mem: 4MB
"""
COUNTS = """\
postgresql:
  listen: 0.0.0.0:5432

  # work_mem: 1MB
# work_mem: 2MB
  parameters:
    maintenance_work_mem: 512MB
    work_mem: '64MB'  # the owner
tags:
  work_mem: 8MB
"""


def told(view: HostView, name: str) -> str | None:
    (item,) = [item for item in MODULE.settled if item.parameter == f"patroni.{name}"]
    return item.live(view, "the site's")


def with_state(view: HostView, state: State) -> HostView:
    return replace(view, states={**view.states, state.identity: state})


def storing(view: HostView, **found: object) -> HostView:
    (item,) = [item for item in view.resources if item.identity == STORE]
    before = item.wanted(site_of(3).digest_key)
    said = {f"postgresql.parameters.{name}": json.dumps(value) for name, value in found.items()}
    return with_state(view, State(STORE, True, {**before, **said}))


@pytest.mark.parametrize("host", ["db-1", "db-2", "db-3"])
def test_what_is_in_patronis_store_is_told_by_leader_and_replicas(host: str) -> None:
    """The change is the leader's alone: replicas were taken for agreed, and nothing could ever be taken."""
    view = World.healthy(3, leader="db-1").live().hosts[host]
    assert [told(storing(view), name) for name in SHARED] == ["the site's"] * 2
    other = storing(view, max_connections=300, wal_keep_size="2GB")
    assert [told(other, name) for name in SHARED] == ["300", "2GB"]
    assert told(storing(view, max_connections=None), "max_connections") is None
    unread = with_state(view, State(STORE, False, problem="Patroni does not answer"))
    assert told(unread, "max_connections") is None


@pytest.mark.parametrize("text", [BIRTH + COUNTS, COUNTS + BIRTH])
def test_what_counted_at_birth_only_is_not_the_live_value(text: str) -> None:
    world = World.healthy(3)
    world.nodes["db-2"].states[FILE] = State(FILE, True, {"digest": "another"}, text)
    view = world.live().hosts["db-2"]
    assert told(view, "work_mem") == "64MB"
    assert told(view, "maintenance_work_mem") == "512MB"
    assert told(view, "shared_buffers") is None
    world.nodes["db-2"].states[FILE] = State(FILE, True, {"digest": "another"}, BIRTH)
    assert told(world.live().hosts["db-2"], "work_mem") is None
