"""The stages and refusals of RabbitMQ's rollout, each for what it says, changes and waits for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Action
from keybuzz.model.core.reading import Answer
from tasks.rabbitmq.checks import critical
from tasks.rabbitmq.members import CONTAINER, COOKIE
from tasks.rabbitmq.rollout import next_stage
from tasks.rabbitmq.service.resources import RabbitmqForgotten, RabbitmqMembership, RabbitmqReplicas
from tests.unit.tasks.rabbitmq.rabbitmq_world import HOSTS, World, name

EVERYBODY = frozenset(map(name, HOSTS))


def refused(live: Live) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        next_stage(live)
    return caught.value


def staged(world: World, selected: tuple[str, ...] = HOSTS) -> Stage:
    stage = next_stage(world.live(selected))
    assert stage is not None
    return stage


def after(stage: Stage, world: World) -> str | None:
    assert stage.after is not None
    return stage.after.reason(world.live())


def before(stage: Stage, world: World) -> str | None:
    assert stage.before is not None
    return stage.before.reason(world.live())


def stop(world: World, *hosts: str) -> World:
    for host in hosts:
        world.damage(host, CONTAINER, running=False)
    return world


def prepared(world: World) -> World:
    stage = staged(world)
    assert stage.name == "prepare"
    world.apply(stage)
    return world


def unread(live: Live, host: str, problem: str) -> Live:
    """Return what the engine sees when a node's answer is missing for that reason."""
    view = live.hosts[host]
    answers = {**view.answers, "rabbitmq.node": Answer("rabbitmq.node", problem=problem)}
    return replace(live, hosts={**live.hosts, host: replace(view, answers=answers)})


def saying(live: Live, host: str, **more: object) -> Live:
    """Return what the engine sees when a node says something else."""
    view = live.hosts[host]
    answer = view.answers["rabbitmq.node"]
    changed = Answer(answer.name, {**answer.value, **more})
    view = replace(view, answers={**view.answers, answer.name: changed})
    return replace(live, hosts={**live.hosts, host: view})


class TestStart:
    def test_all_of_them_must_run(self) -> None:
        world = stop(World.healthy(), *HOSTS)
        stage = staged(world)
        assert stage.name == "start together"
        assert stage.after is not None
        assert stage.after.name == "nodes run"
        assert after(stage, world) == "queue-01: Connection refused"
        one = stop(World.healthy(), "queue-03")
        assert after(stage, one) == "queue-03: Connection refused"
        one.nodes["queue-03"].reachable = False
        assert after(stage, one) == "queue-03 does not answer"
        assert after(stage, World.healthy()) is None

    def test_one_that_answers_and_does_not_run_yet_is_waited_for(self) -> None:
        stage = staged(stop(World.healthy(), "queue-02"))
        assert stage.name == "start queue-02"
        assert stage.after is not None
        live = saying(World.healthy().live(), "queue-02", running=[])
        assert stage.after.reason(live) == "queue-02: RabbitMQ does not run yet"

    def test_what_holds_data_starts_before_what_is_bare(self) -> None:
        world = World.healthy()
        world.wipe("queue-01")
        stop(prepared(world), "queue-02", "queue-03")
        stage = staged(world)
        assert (stage.name, stage.hosts) == ("start together", ("queue-02", "queue-03"))

    def test_a_bare_node_is_not_started_before_a_stopped_one_with_data(self) -> None:
        world = World.healthy()
        world.wipe("queue-01")
        stop(prepared(world), "queue-02", "queue-03")
        error = refused(world.live(("queue-01",)))
        assert error.what == (
            "queue-02, queue-03 holds data and does not run; a bare node does not start before it"
        )
        assert (error.where, error.hint) == (
            "rabbitmq",
            "kbz run rabbitmq --limit rabbitmq starts it",
        )

    def test_a_bare_one_beside_one_that_runs_alone_is_no_first_start_of_a_part(self) -> None:
        """Nothing was ever together: the first, cut off, runs; the others wait for all members in sight."""
        world = prepared(World.empty())
        world.nodes["queue-03"].reachable = False
        error = refused(world.live())
        assert error.what == "a first start needs all 3 members; queue-03 cannot be read"
        assert (error.where, error.hint) == (
            "rabbitmq",
            "bring it back: it may hold the data of an older cluster",
        )

    def test_a_part_is_told_what_it_leaves_out(self) -> None:
        world = prepared(World.empty())
        error = refused(world.live(("queue-02",)))
        assert (
            error.what == "a first start needs all 3 members; --limit leaves out queue-01, queue-03"
        )
        assert (error.where, error.hint) == ("rabbitmq", "kbz run rabbitmq --limit rabbitmq")

    def test_a_bare_node_starts_beside_a_cluster_with_another_member_out_of_sight(self) -> None:
        world = World.healthy()
        world.wipe("queue-01")
        prepared(world)
        for host in HOSTS[1:]:
            world.nodes[host].members = EVERYBODY - {name("queue-01")}
        world.nodes["queue-03"].reachable = False
        stage = staged(world, ("queue-01",))
        assert (stage.name, stage.hosts) == ("start queue-01", ("queue-01",))


class TestForget:
    def wiped(self) -> World:
        world = World.healthy()
        world.wipe("queue-02")
        return prepared(world)

    def test_a_running_member_forgets_it_and_all_must_have(self) -> None:
        world = self.wiped()
        stage = staged(world)
        assert stage.name == "forget rabbit@queue-02, whose host holds nothing any more"
        [change] = stage.changes
        assert (change.host, change.action) == ("queue-01", Action.UPDATE)
        assert isinstance(change.resource, RabbitmqForgotten)
        assert change.resource.node == "rabbit@queue-02"
        [member] = [
            resource
            for resource in world.live().hosts["queue-01"].resources
            if isinstance(resource, RabbitmqMembership)
        ]
        assert change.resource.access == member.access
        assert [(d.attribute, d.observed, d.wanted) for d in change.differences] == [
            ("member", True, False)
        ]
        assert stage.after is not None
        assert stage.after.name == "rabbit@queue-02 is no member"
        assert after(stage, world) == "queue-01 still knows it"
        world.nodes["queue-01"].members -= {name("queue-02")}
        assert after(stage, world) == "queue-03 still knows it"
        world.nodes["queue-03"].members -= {name("queue-02")}
        assert after(stage, world) is None

    def test_one_that_does_not_run_in_its_cluster_is_not_asked_to(self) -> None:
        live = saying(self.wiped().live(), "queue-01", running=[])
        stage = next_stage(live)
        assert stage is not None
        assert [change.host for change in stage.changes] == ["queue-03"]

    def test_a_node_that_lost_its_data_and_runs_is_forgotten_before_it_joins(self) -> None:
        world = self.wiped()
        node = world.nodes["queue-02"]
        world.damage(
            "queue-02",
            CONTAINER,
            **dict(World.healthy().nodes["queue-01"].states[CONTAINER].attributes),
        )
        node.members, node.users = frozenset({name("queue-02")}), frozenset({"kb_rmq"})
        stage = staged(world)
        assert stage.name == "forget rabbit@queue-02, whose host holds nothing any more"
        assert [change.host for change in stage.changes] == ["queue-01"]


class TestJoin:
    def apart(self) -> World:
        """Queue-01 and queue-02 are together; queue-03 is alone and holds nothing."""
        world = World.healthy()
        for host in HOSTS[:2]:
            world.nodes[host].members = frozenset(map(name, HOSTS[:2]))
        alone = world.nodes["queue-03"]
        alone.members, alone.queues = frozenset({name("queue-03")}), 0
        return world

    def test_it_joins_those_that_run_together_and_they_must_see_it_run(self) -> None:
        world = self.apart()
        stage = staged(world)
        assert stage.name == "queue-03 joins queue-01"
        [change] = stage.changes
        assert change.host == "queue-03"
        assert isinstance(change.resource, RabbitmqMembership)
        assert change.resource.join == "rabbit@queue-01"
        assert stage.before is not None
        assert stage.before.name == "queue-01, queue-02 can be joined"
        assert before(stage, world) is None
        assert stage.after is not None
        assert stage.after.name == "queue-03 runs in the cluster"
        assert after(stage, world) == "queue-01 does not see queue-03 run"
        assert after(stage, World.healthy()) is None

    def test_it_waits_for_members_that_do_not_see_each_other(self) -> None:
        world = self.apart()
        stage = staged(world)
        stop(world, "queue-02")
        assert before(stage, world) == "queue-01 does not see queue-02 run"
        world.nodes["queue-02"].reachable = False
        assert before(stage, world) == "queue-02 does not answer"

    def test_whose_cluster_it_is_must_be_known(self) -> None:
        world = World.healthy()
        for host, node in world.nodes.items():
            node.members, node.queues = frozenset({name(host)}), 0
        world.nodes["queue-03"].reachable = False
        error = refused(world.live())
        assert error.what == "whose cluster it is cannot be told before every member answers"
        assert (error.where, error.hint) == ("rabbitmq", "kbz health rabbitmq")

    def test_queues_of_a_node_that_is_alone_are_kept(self) -> None:
        world = self.apart()
        world.nodes["queue-03"].queues = 1
        error = refused(world.live())
        assert error.what == (
            "queue-03 holds 1 queues and is in no cluster; joining would delete them"
        )
        assert (error.where, error.hint) == (
            "queue-03",
            "move them away first; kbz deletes no data",
        )

    def test_a_member_that_no_server_is_is_left_to_the_owner(self) -> None:
        world = World.healthy()
        for node in world.nodes.values():
            node.members = EVERYBODY | {"rabbit@old-9"}
        error = refused(world.live())
        assert error.what == "rabbit@old-9 is a member and no server of the group"
        assert error.where == "queue-01"
        assert "rabbitmqctl forget_cluster_node" in error.hint

    def test_a_member_that_this_run_cannot_reach_is_named(self) -> None:
        world = self.apart()
        error = refused(world.live(HOSTS[:2]))
        assert error.what == "rabbit@queue-03 is no member, and this run cannot let it join"
        assert (error.where, error.hint) == ("queue-01", "kbz run rabbitmq --limit rabbitmq")


class TestReplicas:
    def test_they_grow_until_none_lacks_any(self) -> None:
        world = World.healthy()
        for host in HOSTS[1:]:
            world.nodes[host].lacking = ("orders",)
        stage = staged(world)
        assert (stage.name, stage.hosts) == ("replicas of quorum queues", HOSTS[1:])
        assert all(isinstance(change.resource, RabbitmqReplicas) for change in stage.changes)
        assert stage.after is not None
        assert stage.after.name == "every quorum queue has all its replicas"
        assert after(stage, world) == "queue-02, queue-03 lacks replicas"
        world.nodes["queue-02"].lacking = ()
        assert after(stage, world) == "queue-03 lacks replicas"
        assert after(stage, World.healthy()) is None
        world.nodes["queue-02"].reachable = False
        assert after(stage, world) == "queue-02, queue-03 lacks replicas"


class TestCookie:
    def test_it_is_refused_with_the_host_and_both_ways_out(self) -> None:
        world = World.healthy()
        world.damage("queue-02", COOKIE, digest="hmac-sha256:stale")
        error = refused(world.live())
        assert error.where == "queue-02"
        assert "put the live one into rabbitmq.env" in error.hint
        assert "copy it from there by hand" in error.hint
        assert "kbz adopt rabbitmq --take-credentials" in error.hint

    def test_it_is_looked_for_behind_every_other_change(self) -> None:
        world = World.healthy()
        world.damage("queue-01", CONTAINER, image="old:1.0")
        world.damage("queue-02", COOKIE, digest="hmac-sha256:stale")
        assert "was not overwritten" in refused(world.live()).what

    def test_another_owner_of_the_file_is_only_set_right(self) -> None:
        world = World.healthy()
        world.damage("queue-02", COOKIE, owner="games")
        stage = staged(world)
        assert (stage.name, [change.identity for change in stage.changes]) == ("prepare", [COOKIE])

    def test_a_cookie_beside_data_that_is_gone_is_written(self) -> None:
        world = World.healthy()
        node = world.nodes["queue-02"]
        node.states[COOKIE] = replace(node.states[COOKIE], present=False, attributes={})
        assert staged(world).name == "prepare"


class TestRoll:
    def outdated(self) -> Live:
        world = World.healthy()
        for host in HOSTS:
            world.damage(host, CONTAINER, image="old:1.0")
        return saying(world.live(), "queue-02", running=[])

    def test_a_broken_one_is_replaced_before_those_that_are_well_and_not_waited_for(self) -> None:
        """Its container may be what is wrong: what waits for it first would wait for ever."""
        stage = next_stage(self.outdated())
        assert stage is not None
        assert stage.name == "replace rabbitmq on queue-02"

    @pytest.mark.parametrize("problem", ["the answer did not come in time", "the host was busy"])
    def test_one_whose_answer_is_late_is_not_taken_for_broken(self, problem: str) -> None:
        """It may serve, and may hold a queue that has no other replica."""
        live = unread(self.outdated(), "queue-02", problem)
        stage = next_stage(live)
        assert stage is not None
        assert (stage.name, stage.changes) == ("wait", ())
        assert str(critical(live, "queue-02")).startswith("queue-02 does not say which queues")

    def test_one_where_nothing_listens_is_down(self) -> None:
        live = unread(self.outdated(), "queue-02", "Connection refused")
        stage = next_stage(live)
        assert stage is not None
        assert stage.name == "replace rabbitmq on queue-02"
        assert critical(live, "queue-02") is None

    def test_a_broken_one_that_is_as_described_is_waited_for(self) -> None:
        world = World.healthy()
        world.damage("queue-03", CONTAINER, image="old:1.0")
        stage = next_stage(saying(world.live(), "queue-02", running=[]))
        assert stage is not None
        assert (stage.name, stage.changes) == ("wait", ())

    def test_the_others_are_asked_before_it_and_all_after_it(self) -> None:
        world = World.healthy()
        world.damage("queue-02", CONTAINER, image="old:1.0")
        stage = staged(world)
        assert stage.name == "replace rabbitmq on queue-02"
        assert stage.before is not None
        assert stage.after is not None
        assert (stage.before.name, stage.after.name) == (
            "queues can do without queue-02",
            "the node is back",
        )
        assert (before(stage, world), after(stage, world)) == (None, None)
        own = stop(World.healthy(), "queue-02")
        assert before(stage, own) is None, "it may be what the change mends"
        assert after(stage, own) is not None
        held = World.healthy()
        held.nodes["queue-02"].critical = ("orders",)
        assert "orders" in str(before(stage, held))
        held.nodes["queue-02"].critical = ()
        held.nodes["queue-01"].critical = ("orders",)
        assert before(stage, held) is None
