"""A rotation of RabbitMQ's password: one change, between nodes that all run and nodes that all let it in."""

from __future__ import annotations

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Stage
from tasks.rabbitmq.rotation import next_stage
from tests.unit.tasks.rabbitmq.rabbitmq_world import HOSTS, World


def begun() -> World:
    """Return a cluster that still has the old password."""
    world = World.healthy()
    for node in world.nodes.values():
        node.old = True
    return world


def one(world: World) -> Stage:
    stage = next_stage(world.live())
    assert stage is not None
    return stage


def test_the_user_is_changed_once_and_every_node_lets_it_in() -> None:
    world = begun()
    stage = one(world)
    assert [(c.host, c.identity) for c in stage.changes] == [("queue-01", "rabbitmq-user:kb_rmq")]
    assert stage.before is not None
    assert stage.after is not None
    assert stage.before.reason(world.live()) is None
    assert "ACCESS_REFUSED" in (stage.after.reason(world.live()) or "")
    world.apply(stage)
    assert stage.after.reason(world.live()) is None
    assert next_stage(world.live()) is None
    assert list(world.live().changes()) == []


def test_a_node_that_was_away_is_waited_for_before_anything_changes() -> None:
    world = begun()
    world.nodes["queue-03"].reachable = False
    stage = one(world)
    assert stage.before is not None
    assert stage.before.reason(world.live()) == "queue-03 does not run in its cluster"


def test_cut_off_after_the_change_it_waits_until_every_node_lets_it_in() -> None:
    world = World.healthy()
    world.nodes["queue-02"].old = True
    stage = one(world)
    assert stage.changes == ()
    assert stage.after is not None
    assert stage.after.reason(world.live()) == "queue-02: ACCESS_REFUSED"


@pytest.mark.parametrize("host", HOSTS)
def test_anything_else_that_differs_is_refused(host: str) -> None:
    world = begun()
    world.damage(host, "directory:/opt/keybuzz/rabbitmq/data", mode="0755")
    with pytest.raises(RefusedError, match="changes passwords only"):
        next_stage(world.live())
