"""`kbz switchover redis`: who is master, which node could be, and the stage that hands over to one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live
from keybuzz.model.core.reading import Answer
from tasks.redis.desired import PRIORITY
from tasks.redis.master.lead import SWITCHOVER
from tasks.redis.rollout import release
from tasks.redis.service.resources import RedisMaster
from tests.unit.tasks.redis.redis_world import REDIS_CONTAINER, World, address, site

SERVERS = site().members("redis")


def unable(live: Live) -> dict[str, str]:
    return {found.host: found.unable for found in SWITCHOVER.candidates(live, SERVERS)}


def told(live: Live, host: str, question: str, **said: str) -> Live:
    """Return the state in which a node answers this to one question."""
    view = live.hosts[host]
    value: Any = view.answers["redis.node"].value
    replies = {**value["replies"], question: {**value["replies"][question], **said}}
    answer = Answer("redis.node", {**value, "replies": replies})
    return replace(
        live,
        hosts={**live.hosts, host: replace(view, answers={**view.answers, "redis.node": answer})},
    )


def test_the_node_that_is_named_becomes_master() -> None:
    world = World.healthy("redis-2")
    assert SWITCHOVER.leads(world.live(), SERVERS) == "redis-2"
    stage = SWITCHOVER.stage(world.live(), SERVERS[1], SERVERS[2])
    [change] = stage.changes
    assert isinstance(change.resource, RedisMaster)
    assert change.resource.order()["heir"] == address("redis-3")
    assert stage.heirs == ("redis-3",)
    assert stage.after is not None
    assert stage.after.reason(world.live()) == "no new master yet"
    world.apply(stage)
    assert world.master == "redis-3"
    assert stage.after.reason(world.live()) is None


def test_another_node_than_the_named_one_opens_no_gate() -> None:
    world = World.healthy("redis-2")
    stage = SWITCHOVER.stage(world.live(), SERVERS[1], SERVERS[2])
    assert stage.after is not None
    assert (
        stage.after.reason(World.healthy("redis-1").live())
        == "redis-1 is master instead of redis-3"
    )


def test_what_sentinel_would_not_promote_is_told_with_its_reason() -> None:
    live = World.healthy("redis-2").live()
    assert unable(live) == {"redis-1": "", "redis-3": ""}
    never = told(live, "redis-3", " ".join(PRIORITY), **{"replica-priority": "0"})
    assert "Sentinel never promotes it" in unable(never)["redis-3"]
    failed = told(live, "redis-3", "INFO persistence", rdb_last_bgsave_status="err")
    assert "it would refuse writes" in unable(failed)["redis-3"]
    cut = told(live, "redis-3", "INFO replication", master_link_status="down")
    assert unable(cut)["redis-3"] == "it is not connected to the master"


def test_a_node_that_is_away_or_silent_cannot_take_over() -> None:
    world = World.healthy("redis-2")
    world.nodes["redis-3"].reachable = False
    assert unable(world.live())["redis-3"] == "no route"
    view = World.healthy("redis-2").live()
    assert view.hosts["redis-1"].attribute(REDIS_CONTAINER, "running")


def test_two_masters_hand_over_nothing() -> None:
    live = told(World.healthy("redis-2").live(), "redis-1", "INFO replication", role="master")
    with pytest.raises(RefusedError, match="redis-1, redis-2 are all master"):
        SWITCHOVER.leads(live, SERVERS)


def test_a_host_in_maintenance_is_not_made_the_master() -> None:
    """Sentinel would choose among all: it knows of no maintenance."""
    live = World.healthy("redis-1").live()
    servers = {server.name: server for server in live.members}
    for away in ("redis-2", "redis-3"):
        stage = release(replace(live, resting=(servers[away],)), "redis-1")
        [heir] = {"redis-2", "redis-3"} - {away}
        assert stage is not None
        assert stage.heirs == (heir,)
        [change] = stage.changes
        assert isinstance(change.resource, RedisMaster)
        assert change.resource.heir == str(servers[heir].address)
    free = release(live, "redis-1")
    assert free is not None
    assert free.heirs == ("redis-2", "redis-3")
