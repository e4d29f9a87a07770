"""A rotation of MariaDB's users: both passwords first, containers one by one, the old one last."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Stage
from tasks.galera.members import CONTAINER_ID
from tasks.galera.rotation import next_stage
from tests.unit.tasks.galera.galera_world import HOSTS, World, roll

APP, MONITOR = "mysql-user:erpnext", "mysql-user:kb_monitor"
OLD = {"logs_in": False, "others": ("the former one",)}
BOTH = {"logs_in": True, "others": ("the former one",)}
LEFT = {"logs_in": True, "others": ("another one",)}


def follow(world: World) -> list[Stage]:
    """Follow the stages to their end; return them."""
    before = len(world.trail)
    for _ in range(12):
        stage = next_stage(world.live())
        if stage is None:
            assert list(world.live().changes()) == []
            return world.trail[before:]
        assert stage.before is None or stage.before.reason(world.live()) is None
        assert len([change for change in stage.changes if change.disrupts]) <= 1
        world.apply(stage)
        world.wait()
        assert stage.after is None or stage.after.reason(world.live()) is None
    raise AssertionError([stage.name for stage in world.trail])


def old_environment(world: World, host: str) -> None:
    states = world.nodes[host].states
    found = {
        **states[CONTAINER_ID].attributes,
        "environment": ("MARIADB_REPLICATION_PASSWORD=‹old›",),
    }
    states[CONTAINER_ID] = replace(states[CONTAINER_ID], attributes=found)


@pytest.mark.parametrize("taken", [OLD, BOTH])
def test_the_application_has_both_and_afterwards_one(taken: dict[str, object]) -> None:
    world = World.healthy()
    world.rotating, world.passwords[APP] = "MARIADB_APP_PASSWORD", dict(taken)
    changed = [change.identity for stage in follow(world) for change in stage.changes]
    assert changed == ([APP] if taken is OLD else [])
    assert world.passwords[APP] == BOTH
    world.rotating, world.passwords[APP] = "", dict(LEFT)
    assert [change.identity for stage in follow(world) for change in stage.changes] == [APP]
    assert world.passwords == {}


@given(hosts=st.frozensets(st.sampled_from(HOSTS)), both=st.booleans())
def test_for_the_monitor_the_nodes_are_replaced_one_by_one_after_the_user_has_both(
    hosts: frozenset[str], both: bool
) -> None:
    world = World.healthy()
    world.rotating = "MARIADB_MONITOR_PASSWORD"
    world.passwords[MONITOR] = dict(BOTH if both else OLD)
    for host in hosts:
        old_environment(world, host)
    changed = [(c.host, c.identity) for stage in follow(world) for c in stage.changes]
    users = [change for change in changed if change[1] == MONITOR]
    assert changed[: len(users)] == users
    assert len(users) == (not both)
    assert {host for host, identity in changed if identity == CONTAINER_ID} == hosts
    assert set(world.serving()) == set(HOSTS)


def test_a_cluster_that_is_not_whole_is_waited_for_before_anything_changes() -> None:
    world = World.healthy()
    world.rotating, world.passwords[APP] = "MARIADB_APP_PASSWORD", dict(OLD)
    world.nodes["maria-3"].settled = False
    stage = next_stage(world.live())
    assert stage is not None
    assert stage.before is not None
    assert "maria-3" in (stage.before.reason(world.live()) or "")


def test_anything_else_that_differs_is_refused() -> None:
    world = World.healthy()
    world.rotating, world.passwords[APP] = "MARIADB_APP_PASSWORD", dict(OLD)
    states = world.nodes["maria-2"].states
    found = {**states[CONTAINER_ID].attributes, "image": "another"}
    states[CONTAINER_ID] = replace(states[CONTAINER_ID], attributes=found)
    with pytest.raises(RefusedError, match="changes passwords only"):
        next_stage(world.live())


def test_a_run_never_drops_a_password_that_somebody_may_still_use() -> None:
    world = World.healthy()
    world.passwords[APP] = dict(LEFT)
    end = roll(world)
    assert (end.word, world.trail) == ("refused", [])
    assert "kbz secrets rotate" in end.why
