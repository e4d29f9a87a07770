"""The stages of Patroni's rollout, each for whom it touches, what it waits for and for how long."""

from __future__ import annotations

import pytest

from keybuzz.model.core.live import Stage
from tasks.patroni.rollout import JOIN_TIMEOUT, START_TIMEOUT, next_stage, release
from tests.unit.tasks.patroni.cluster_world import CONTAINER, World, damaged
from tests.unit.tasks.patroni.test_rollout_patroni import THREE, outdate, stop


def stage(world: World, *selected: str) -> Stage | None:
    return next_stage(world.live(selected or None))


def starting(world: World, *hosts: str) -> None:
    """Let containers run that are not members yet, as after a run that was cut off."""
    for host in hosts:
        world.nodes[host].settled = False


class TestSettle:
    """Members on their way are waited for: but no run waits for members that it was not told to touch."""

    def test_a_member_on_its_way_is_waited_for(self) -> None:
        world = World.healthy(3, leader="db-1")
        starting(world, "db-3")
        found = stage(world)
        assert found is not None
        assert (found.name, found.changes) == ("wait", ())
        assert found.after is not None
        assert found.after.timeout == START_TIMEOUT
        assert found.after.reason(world.live()) is not None
        assert found.after.reason(World.healthy(3, leader="db-1").live()) is None

    def test_nothing_is_waited_for_when_all_are_well(self) -> None:
        assert stage(World.healthy(3, leader="db-1")) is None

    def test_a_run_that_selects_no_started_member_waits_for_none(self) -> None:
        world = World.healthy(3, leader="db-1")
        starting(world, "db-3")
        assert next_stage(world.live(frozenset())) is None


class TestRelease:
    def test_only_a_leader_with_others_hands_over(self) -> None:
        world = World.healthy(3, leader="db-1")
        found = release(world.live(), "db-1")
        assert found is not None
        assert found.name == "hand over from db-1"
        assert found.heirs == ("db-2", "db-3")
        assert found.after is not None
        assert found.after.timeout == JOIN_TIMEOUT
        assert found.after.reason(world.live()) == "no new leader yet"
        assert found.after.reason(World.healthy(3, leader="db-2").live()) is None
        assert release(world.live(), "db-2") is None

    def test_a_lone_member_has_nobody_to_hand_over_to(self) -> None:
        assert release(World.healthy(1, leader="db-1").live(), "db-1") is None


class TestStart:
    def test_one_that_was_stopped_is_started_and_all_are_waited_for(self) -> None:
        world = World.healthy(3, leader="db-1")
        stop(world, "db-3")
        found = stage(world)
        assert found is not None
        assert (found.name, [change.host for change in found.changes]) == ("start", ["db-3"])
        assert found.before is None
        assert found.after is not None
        assert found.after.reason(world.live()) is not None
        assert found.after.reason(World.healthy(3, leader="db-1").live()) is None

    def test_an_empty_member_joins_a_cluster_that_is_well(self) -> None:
        world = World.healthy(3, leader="db-1")
        world.nodes["db-3"] = World.empty(3).nodes["db-3"]
        prepared = stage(world)
        assert prepared is not None
        world.apply(prepared)
        found = stage(world)
        assert found is not None
        assert found.before is not None
        assert found.before.name == "db-1, db-2 are well, to be joined"
        assert found.before.reason(world.live()) is None


class TestRoll:
    @pytest.mark.parametrize("leading", THREE)
    def test_replicas_come_first_and_the_leader_hands_over(self, leading: str) -> None:
        world = World.healthy(3, leader=leading)
        outdate(world, *THREE)
        found = stage(world)
        assert found is not None
        assert found.name == f"replace {min(set(THREE) - {leading})}"
        outdated = World.healthy(3, leader=leading)
        outdate(outdated, leading)
        last = stage(outdated)
        assert last is not None
        assert last.name == f"hand over from {leading}"

    def test_a_lone_member_is_replaced_without_one(self) -> None:
        world = World.healthy(1, leader="db-1")
        world.nodes["db-1"].states = damaged(world.nodes["db-1"].states, CONTAINER, image="old:1.0")
        found = stage(world)
        assert found is not None
        assert found.name == "replace db-1"
