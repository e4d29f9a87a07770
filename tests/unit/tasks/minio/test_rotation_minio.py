"""A new root password for MinIO: all three nodes at once, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.engine.change.guard import Cluster, QuorumError, guard_quorum
from keybuzz.model.core.errors import RefusedError
from tasks.minio import MODULE
from tasks.minio.members import CONTAINER_ID
from tasks.minio.rotation import root_stage
from tests.unit.tasks.minio.minio_world import BUCKET, HOSTS, World


def old_key(world: World, *hosts: str) -> None:
    """Give the containers of these hosts another environment than the described one."""
    for host in hosts:
        states = world.nodes[host].states
        found = {**states[CONTAINER_ID].attributes, "environment": ("MINIO_ROOT_PASSWORD=‹old›",)}
        states[CONTAINER_ID] = replace(states[CONTAINER_ID], attributes=found)


def clusters(world: World) -> list[Cluster]:
    assert MODULE.members_up is not None
    return [Cluster("minio", frozenset(HOSTS), MODULE.members_up(world.live()))]


def test_all_three_are_replaced_in_one_stage_which_says_that_it_stops_the_cluster() -> None:
    world = World.healthy()
    old_key(world, *HOSTS)
    stage = root_stage(world.live())
    assert stage is not None
    assert [(change.host, change.identity) for change in stage.changes] == [
        (host, CONTAINER_ID) for host in HOSTS
    ]
    assert stage.before is not None
    assert stage.before.reason(world.live()) is None
    guard_quorum(stage, clusters(world))
    with pytest.raises(QuorumError):
        guard_quorum(replace(stage, interrupts=""), clusters(world))


def test_a_stage_that_stops_one_cluster_on_purpose_stops_no_other() -> None:
    world = World.healthy()
    old_key(world, *HOSTS)
    stage = root_stage(world.live())
    assert stage is not None
    other = Cluster("galera", frozenset(HOSTS), frozenset(HOSTS))
    with pytest.raises(QuorumError, match="galera"):
        guard_quorum(stage, [*clusters(world), other])


def test_a_node_that_is_away_keeps_the_others_running() -> None:
    world = World.healthy()
    old_key(world, *HOSTS)
    stage = root_stage(world.live())
    assert stage is not None
    assert stage.before is not None
    world.stop("minio-02")
    assert "minio-02 without the write quorum" in str(stage.before.reason(world.live()))


def test_cut_off_half_way_it_goes_on_with_the_nodes_that_are_left() -> None:
    world = World.healthy()
    old_key(world, "minio-02", "minio-03")
    stage = root_stage(world.live())
    assert stage is not None
    assert stage.hosts == ("minio-02", "minio-03")
    assert stage.before is None, "the one that is done cannot serve alone: nothing to wait for"
    assert stage.after is not None
    assert stage.after.reason(World.healthy().live()) is None


def test_it_ends_when_all_serve_and_waits_while_one_does_not() -> None:
    world = World.healthy()
    assert root_stage(world.live()) is None
    world.stop("minio-03")
    world.nodes["minio-03"].states[CONTAINER_ID] = (
        World.healthy().nodes["minio-03"].states[CONTAINER_ID]
    )
    world.nodes["minio-03"].healing = True
    stage = root_stage(world.live())
    assert stage is not None
    assert not stage.changes


def test_anything_else_that_differs_is_refused() -> None:
    world = World.healthy()
    old_key(world, *HOSTS)
    world.bucket = "Suspended"
    with pytest.raises(RefusedError, match="changes keys only") as caught:
        root_stage(world.live())
    assert BUCKET in str(caught.value)
