"""A replaced Redis host: it joins what is well, as a replica, whatever it was before."""

from __future__ import annotations

from dataclasses import replace

from tasks.redis import MODULE
from tests.unit.tasks.patroni.cluster_world import damaged
from tests.unit.tasks.redis.redis_world import (
    REDIS_CONTAINER,
    SENTINEL_CONTAINER,
    World,
    address,
    roll,
)


def stop(world: World, container: str, host: str) -> None:
    world.nodes[host].states = damaged(world.nodes[host].states, container, running=False)
    world.elect()


def test_a_rebuilt_member_joins_only_when_the_others_are_well() -> None:
    world = World.healthy("redis-1")
    world.nodes["redis-2"] = World.empty().nodes["redis-2"]
    stop(world, SENTINEL_CONTAINER, "redis-3")
    end = roll(world, ["redis-2"])
    assert end.word == "gate"
    assert not world.nodes["redis-2"].runs(REDIS_CONTAINER)
    stop(world, REDIS_CONTAINER, "redis-3")
    assert roll(world).word == "done"
    assert [stage.name for stage in world.trail][-2:] == ["start", "start"]
    assert {change.host for change in world.trail[-2].changes} == {"redis-3"}
    assert world.trail[-1].before is not None
    assert "are well, to be joined" in world.trail[-1].before.name


def test_a_rebuilt_master_waits_for_the_failover_and_follows() -> None:
    """It holds nothing: as a master it would empty its replicas."""
    world = World.healthy("redis-1")
    world.nodes["redis-1"] = World.empty().nodes["redis-1"]
    assert world.master == "redis-1"
    prepare = MODULE.next_stage(world.live(["redis-1"]))
    assert prepare is not None
    assert prepare.name == "prepare"
    for change in prepare.changes:
        world._apply(change)
    waits = MODULE.next_stage(world.live(["redis-1"]))
    assert waits is not None
    assert (waits.name, waits.changes) == ("wait", ())
    world.elect()
    new = str(world.master)
    assert new != "redis-1"
    assert roll(world, ["redis-1"]).word == "done"
    assert world.master == new
    assert world.nodes["redis-1"].follows == address(new)


def test_a_first_start_that_was_cut_off_before_its_master_ran_goes_on() -> None:
    world = World.empty()
    prepare = MODULE.next_stage(world.live())
    assert prepare is not None
    world.apply(prepare)
    start = MODULE.next_stage(world.live())
    assert start is not None
    world.apply(replace(start, changes=start.of("redis-1")))
    assert roll(world).word == "done"
    assert world.master == "redis-2"


def test_after_a_total_stop_a_rebuilt_master_does_not_start_before_the_others_have_one() -> None:
    world = World.healthy("redis-1")
    world.nodes["redis-1"] = World.empty().nodes["redis-1"]
    for host in ("redis-2", "redis-3"):
        for container in (REDIS_CONTAINER, SENTINEL_CONTAINER):
            states = world.nodes[host].states
            world.nodes[host].states = damaged(states, container, running=False)
    assert roll(world).word == "done"
    started = [
        sorted({change.host for change in stage.changes})
        for stage in world.trail
        if stage.name.startswith("start")
    ]
    assert started == [["redis-2", "redis-3"], ["redis-1"]]
    assert world.master != "redis-1"
    assert world.nodes["redis-1"].follows == address(str(world.master))
