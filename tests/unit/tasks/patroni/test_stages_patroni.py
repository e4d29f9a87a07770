"""The stages of Patroni's rollout, each for whom it touches, what it waits for and for how long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action
from tasks.patroni.rollout import (
    JOIN_TIMEOUT,
    START_TIMEOUT,
    next_stage,
    release,
)
from tasks.patroni.service.resources import PatroniLeader, PatroniSettings
from tests.unit.tasks.patroni.cluster_world import CONTAINER, World, damaged
from tests.unit.tasks.patroni.test_rollout_patroni import (
    THREE,
    VECTOR,
    YML,
    lose,
    outdate,
    stop,
)


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

    def test_of_two_in_sight_the_leader_hands_over(self) -> None:
        live = World.healthy(3, leader="db-1").live()
        two = replace(live, hosts={host: live.hosts[host] for host in ("db-1", "db-2")})
        found = release(two, "db-1")
        assert found is not None
        assert found.heirs == ("db-2",)

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

    def test_a_broken_replica_is_replaced_first(self) -> None:
        """The gate of any other one would wait for it for ever, and its container may be what is wrong."""
        world = World.healthy(3, leader="db-1")
        outdate(world, *THREE)
        starting(world, "db-3")
        found = stage(world)
        assert found is not None
        assert found.name == "replace db-3"

    def test_the_others_are_waited_for_before_and_all_after(self) -> None:
        world = World.healthy(3, leader="db-1")
        outdate(world, "db-2")
        found = stage(world)
        assert found is not None
        assert (named(found.before), named(found.after)) == (
            "all but db-2 are well",
            "the member is back",
        )
        own, other = World.healthy(3, leader="db-1"), World.healthy(3, leader="db-1")
        starting(own, "db-2")
        starting(other, "db-3")
        assert told(found.before, own.live()) is None, "it may be what the change mends"
        assert told(found.before, other.live()) == "db-3 is starting, lag unknown"
        assert told(found.after, own.live()) == "db-2 is starting, lag unknown"
        assert told(found.after, world.live()) is None

    def test_while_nobody_leads_any_member_may_be_the_leader(self) -> None:
        world = World.healthy(3, leader="db-1")
        outdate(world, *THREE)
        world.leader = None
        found = stage(world)
        assert found is not None
        assert (found.name, found.changes) == ("wait", ())

    def test_a_leader_hands_over_while_the_cluster_is_whole(self) -> None:
        world = World.healthy(3, leader="db-1")
        outdate(world, "db-1")
        found = stage(world)
        assert found is not None
        assert named(found.before) == "the cluster is whole"
        assert told(found.before, world.live()) is None
        other = World.healthy(3, leader="db-1")
        starting(other, "db-3")
        assert told(found.before, other.live()) is not None
        [change] = found.changes
        assert (change.host, change.action, change.disrupts) == ("db-1", Action.UPDATE, False)
        assert [(d.attribute, d.observed, d.wanted) for d in change.differences] == [
            ("leads", True, False)
        ]
        [settings] = [
            r for r in world.live().hosts["db-1"].resources if isinstance(r, PatroniSettings)
        ]
        assert change.resource == PatroniLeader(
            settings.url, "db-1", settings.username, settings.password
        )
        assert named(found.after) == "another member leads"
        world.leader = None
        assert told(found.after, world.live()) == "no new leader yet"


def named(gate: Gate | None) -> str:
    assert gate is not None
    return gate.name


def told(gate: Gate | None, live: Live) -> str | None:
    assert gate is not None
    return gate.reason(live)


class TestInside:
    def test_it_waits_for_a_whole_cluster(self) -> None:
        world = World.healthy(3, leader="db-3")
        world.inside = damaged(world.inside, VECTOR)
        found = stage(world)
        assert found is not None
        assert found.name == "roles, database and extensions"
        assert named(found.before) == "the cluster is whole"
        assert told(found.before, world.live()) is None

    def test_a_member_out_of_sight_is_not_part_of_what_is_waited_for(self) -> None:
        world = World.healthy(3, leader="db-3")
        world.inside = damaged(world.inside, VECTOR)
        lose(world, "db-1")
        found = stage(world)
        assert found is not None
        assert told(found.before, world.live()) is None

    def test_files_come_before_it(self) -> None:
        world = World.healthy(3)
        world.inside = damaged(world.inside, VECTOR)
        world.nodes["db-2"].states = damaged(world.nodes["db-2"].states, YML, digest="other")
        found = stage(world)
        assert found is not None
        assert found.name == "prepare"


class TestJoining:
    def test_a_stopped_one_with_data_comes_before_an_empty_one(self) -> None:
        world = World.healthy(3, leader="db-1")
        world.nodes["db-2"] = World.empty(3).nodes["db-2"]
        prepared = stage(world)
        assert prepared is not None
        world.apply(prepared)
        stop(world, "db-3")
        world.leader = "db-1"
        found = stage(world)
        assert found is not None
        assert (found.name, found.hosts, found.before) == ("start", ("db-3",), None)
        assert named(found.after) == "one leader, all others streaming"

    def test_empty_members_beside_empty_ones_that_run_are_one_birth(self) -> None:
        """The first start was cut off: there is nothing yet that they could join."""
        world = World.empty(3)
        prepared = stage(world)
        assert prepared is not None
        world.apply(prepared)
        found = stage(world)
        assert found is not None
        for change in found.of("db-1"):
            world._apply(change)
        found = stage(world)
        assert found is not None
        assert (found.name, found.hosts, found.before) == ("start together", ("db-2", "db-3"), None)
