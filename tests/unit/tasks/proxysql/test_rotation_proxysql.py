"""A rotation of ProxySQL's admin password touches what holds it, host by host, and nothing else."""

from __future__ import annotations

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.plan import State
from tasks.proxysql.rotation import next_stage
from tests.unit.tasks.proxysql.proxysql_world import CNF, HOSTS, USERS, World

ADMIN = "proxysql-variables:ADMIN VARIABLES"


def damage(world: World, host: str, identity: str) -> None:
    wanted = world.nodes[host].states[identity].attributes
    world.nodes[host].states[identity] = State(identity, True, dict.fromkeys(wanted, "old"))


def test_one_host_after_the_other_takes_it() -> None:
    world = World.healthy()
    for host in HOSTS:
        damage(world, host, CNF)
        damage(world, host, ADMIN)
    while (stage := next_stage(world.live())) is not None:
        assert len(stage.hosts) == 1
        assert {change.identity for change in stage.changes} == {CNF, ADMIN}
        world.apply(stage)
        world.wait()
    assert [stage.hosts for stage in world.trail if stage.changes] == [(host,) for host in HOSTS]
    assert list(world.live().changes()) == []


def test_anything_else_that_differs_is_refused() -> None:
    world = World.healthy()
    damage(world, HOSTS[0], ADMIN)
    damage(world, HOSTS[1], USERS)
    with pytest.raises(RefusedError, match="changes passwords only"):
        next_stage(world.live())
