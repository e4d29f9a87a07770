"""A rotation of a password: the role first, then the files; from any half-way point, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_world import World, damaged
from keybuzz.model.errors import RefusedError
from keybuzz.model.live import Stage
from tasks.patroni.rotation import ROTATIONS, next_stage

ROLE = "postgres-role:kb_repl"
FILE = "file:/opt/keybuzz/patroni/config/patroni.yml"
HOSTS = ("db-1", "db-2", "db-3")


def begun(*, role: bool, files: frozenset[str], leader: str = "db-1") -> World:
    """Return a cluster that still has the old password in the role and in the files of these hosts."""
    world = World.healthy(3, leader)
    if role:
        world.inside = damaged(world.inside, ROLE, password_matches=False)
    for host in files:
        node = world.nodes[host]
        node.states = damaged(node.states, FILE, digest="hmac-sha256:old")
    return world


def stages(world: World) -> list[Stage]:
    """Follow the rotation to its end."""
    for _ in range(9):
        stage = next_stage(world.live())
        if stage is None:
            return world.trail
        assert stage.before is None or stage.before.reason(world.live()) is None
        world.apply(stage)
        assert stage.after is None or stage.after.reason(world.live()) is None
    raise AssertionError([stage.name for stage in world.trail])


@given(
    role=st.booleans(),
    files=st.frozensets(st.sampled_from(HOSTS)),
    leader=st.sampled_from(HOSTS),
)
def test_from_every_half_way_point_it_ends_and_the_role_comes_first(
    role: bool, files: frozenset[str], leader: str
) -> None:
    world = begun(role=role, files=files, leader=leader)
    taken = [(change.host, change.identity) for stage in stages(world) for change in stage.changes]
    expected = [(leader, ROLE)] if role else []
    assert taken[: len(expected)] == expected
    assert set(taken[len(expected) :]) == {(host, FILE) for host in files}
    assert list(world.live().changes()) == []
    assert world.leader == leader


def test_a_replica_that_can_not_come_back_does_not_hold_up_what_lets_it_back() -> None:
    """Cut off between role and files, a replica that reconnects is refused: its file must still be written."""
    world = begun(role=True, files=frozenset(HOSTS))
    world.nodes["db-2"].settled = False
    [first, second] = [stage for stage in stages(world) if stage.changes]
    assert first.before is not None
    assert second.before is None


def test_a_cluster_without_a_leader_is_waited_for() -> None:
    world = begun(role=True, files=frozenset())
    world.leader = None
    stage = next_stage(world.live())
    assert stage is not None
    assert stage.changes == ()
    assert stage.after is not None
    assert "0 leaders" in (stage.after.reason(world.live()) or "")


@pytest.mark.parametrize(
    ("where", "identity", "attributes"),
    [
        ("db-2", "container:patroni", {"image": "another"}),
        ("db-3", "directory:/opt/keybuzz/postgres/data", {"mode": "0755"}),
    ],
)
def test_anything_else_that_differs_is_refused_before_the_role_is_touched(
    where: str, identity: str, attributes: dict[str, str]
) -> None:
    world = begun(role=True, files=frozenset(HOSTS))
    world.nodes[where].states = damaged(world.nodes[where].states, identity, **attributes)
    with pytest.raises(RefusedError, match="a rotation changes passwords only") as caught:
        next_stage(world.live())
    assert caught.value.where == where


def test_each_service_has_one_credential_and_what_is_not_done_says_why() -> None:
    assert len({rotation.credential for rotation in ROTATIONS}) == len(ROTATIONS) == 5
    refused = {rotation.service for rotation in ROTATIONS if rotation.refused}
    assert refused == {"postgres-superuser", "patroni-api"}
