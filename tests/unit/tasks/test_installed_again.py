"""All hosts of a cluster were installed again, and only their data was kept: who starts it makes the files first.

Galera is recovered by a verb of its own: tests/unit/tasks/galera/test_installed_again_galera.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from keybuzz.model.core.plan import State
from keybuzz.site.module import Module
from tasks.redis import MODULE as REDIS
from tasks.redis.members import CONTAINERS, RUNTIME
from tests.unit.tasks.k3s import k3s_world
from tests.unit.tasks.minio import minio_world
from tests.unit.tasks.patroni import cluster_world
from tests.unit.tasks.rabbitmq import rabbitmq_world
from tests.unit.tasks.redis import redis_world


def rabbitmq() -> tuple[str, list[str]]:
    world, bare = rabbitmq_world.World.healthy(), rabbitmq_world.World.empty()
    for host, node in world.nodes.items():
        node.states = bare.nodes[host].states
    return rabbitmq_world.roll(world).word, [stage.name for stage in world.trail]


def minio() -> tuple[str, list[str]]:
    world, bare = minio_world.World.healthy(), minio_world.World.empty()
    for host, node in world.nodes.items():
        node.states = bare.nodes[host].states
    return minio_world.roll(world).word, [stage.name for stage in world.trail]


def patroni() -> tuple[str, list[str]]:
    world, bare = cluster_world.World.healthy(3), cluster_world.World.empty(3)
    for host, node in world.nodes.items():
        node.states = bare.nodes[host].states
    return cluster_world.roll(world).word, [stage.name for stage in world.trail]


def k3s() -> tuple[str, list[str]]:
    world, bare = k3s_world.World.healthy(), k3s_world.World.empty()
    for name, host in world.hosts.items():
        host.states = bare.hosts[name].states
    return k3s_world.roll(world).word, [stage.name for stage in world.trail]


@pytest.mark.parametrize("again", [rabbitmq, minio, patroni, k3s])
def test_a_run_makes_the_files_and_then_starts_all_that_hold_data_together(
    again: Callable[[], tuple[str, list[str]]],
) -> None:
    word, stages = again()
    assert word == "done"
    assert stages[0] == "prepare"
    assert "together" in stages[1]


class TestRedis:
    """Who leads is in a file of the host, beside the data."""

    @staticmethod
    def world(*hosts: str) -> redis_world.World:
        world, bare = redis_world.World.healthy(), redis_world.World.empty()
        world.master = None
        for host in hosts:
            world.nodes[host].states = bare.nodes[host].states
        return world

    def test_a_run_refuses_with_what_the_owner_writes_on_the_others_and_then_starts_it(
        self,
    ) -> None:
        world = self.world(*redis_world.HOSTS)
        end = redis_world.roll(world)
        assert (end.word, world.trail) == ("refused", [])
        path = RUNTIME.partition(":")[2]
        told = "redis-1, redis-2, redis-3 lost " + path
        assert told in end.why
        assert f"echo replicaof ADDRESS 6379 >{path}, with" in end.why
        leads = redis_world.address("redis-3")
        for host in ("redis-1", "redis-2"):
            world.nodes[host].states[RUNTIME] = State(RUNTIME, True, {"follows": leads})
        assert redis_world.roll(world).word == "done"
        assert world.master == "redis-3"

    def test_the_one_that_kept_its_file_is_told_to_follow_too_and_another_leads(self) -> None:
        world = self.world("redis-2", "redis-3")
        for container in CONTAINERS:
            state = world.nodes["redis-1"].states[container]
            stopped = {**state.attributes, "running": False}
            world.nodes["redis-1"].states[container] = replace(state, attributes=stopped)
        said = redis_world.roll(world).why
        assert "on redis-1, which has the file, too, after docker stop redis" in said
        leads = redis_world.address("redis-3")
        world.nodes["redis-2"].states[RUNTIME] = State(RUNTIME, True, {"follows": leads})
        assert redis_world.roll(world).word == "refused"
        world.nodes["redis-1"].states[RUNTIME] = State(RUNTIME, True, {"follows": leads})
        assert redis_world.roll(world).word == "done"
        assert world.master == "redis-3"

    def test_where_one_is_away_it_may_be_the_one_that_knows(self) -> None:
        world = self.world("redis-1", "redis-2")
        world.nodes["redis-3"].reachable = False
        assert "bring back the members that are away" in redis_world.roll(world).why

    def test_the_two_that_were_kept_decide_for_the_third(self) -> None:
        world = redis_world.World.healthy("redis-2")
        world.nodes["redis-1"].states = redis_world.World.empty().nodes["redis-1"].states
        assert redis_world.roll(world).word == "done"
        assert world.master == "redis-2"


def test_redis_is_recovered_by_no_verb_of_its_own() -> None:
    module: Module = REDIS
    assert module.recovery is None
