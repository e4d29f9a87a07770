"""What is retired goes behind everything else, in a stage of its own, and no rollout sees it."""

from __future__ import annotations

from dataclasses import replace

from keybuzz.model.core.live import HostView, Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import Directory
from keybuzz.model.host.retired import STAGE, Retired, retired, retiring_last
from tests.unit.tasks.redis.redis_world import World

OLD = retired(units=("a.service",), files=("/old",), folders=("/folder",))


def live_with(*resources: Resource) -> Live:
    whole = World.healthy().live()
    host, view = next(iter(whole.hosts.items()))
    changes = tuple(Change(host, "redis", item, Action.UPDATE) for item in resources)
    return replace(whole, hosts={host: replace(view, changes=changes)})


def rollout(live: Live) -> Stage | None:
    changes = tuple(live.changes())
    assert not [change for change in changes if isinstance(change.resource, Retired)]
    return Stage("work", changes) if changes else None


def test_they_go_last_and_folders_behind_files() -> None:
    staged = retiring_last(rollout)
    both = staged(live_with(Directory("/new"), *OLD))
    assert both is not None
    assert [change.identity for change in both.changes] == ["directory:/new"]
    last = staged(live_with(*OLD))
    assert last is not None
    assert last.name == STAGE
    assert [change.resource for change in last.changes] == list(OLD)
    assert staged(live_with()) is None
    assert isinstance(next(iter(live_with().hosts.values())), HostView)
