"""The RabbitMQ rollout in a small world: birth, half-way points, cookies, joins, replaced hosts, rolls."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import Level
from tasks.rabbitmq import MODULE, values
from tasks.rabbitmq.members import CONTAINER, COOKIE, virgin
from tasks.rabbitmq.rollout import release
from tests.unit.tasks.rabbitmq.rabbitmq_world import HOSTS, USER, World, name, roll

DATA = f"rabbitmq-data:{values.DATA}"
EVERYBODY = frozenset(map(name, HOSTS))


def names(world: World) -> list[str]:
    return [stage.name for stage in world.trail]


def together(world: World) -> bool:
    return all(node.members == EVERYBODY and node.runs for node in world.nodes.values())


class TestBirth:
    def test_the_first_is_queue_01_and_the_others_join_it_one_by_one(self) -> None:
        world = World.empty()
        assert virgin(world.live())
        assert roll(world).word == "done"
        assert names(world) == [
            "prepare",
            "start together",
            "users",
            "queue-02 joins queue-01",
            "queue-03 joins queue-01",
        ]
        assert together(world)
        assert world.nodes["queue-03"].users == {USER}

    @given(st.integers(0, 5), st.data())
    @settings(max_examples=60)
    def test_an_install_that_was_cut_off_anywhere_goes_on(
        self, whole: int, data: st.DataObject
    ) -> None:
        world = World.empty()
        for _ in range(whole):
            if (stage := MODULE.next_stage(world.live())) is not None:
                world.apply(stage)
        stage = MODULE.next_stage(world.live())
        if stage is not None and stage.changes:
            cut = data.draw(st.integers(0, len(stage.changes)))
            for change in stage.changes[:cut]:
                world._apply(change, world.nodes[change.host])
        world.trail.clear()
        assert roll(world).word == "done"
        assert together(world)

    @pytest.mark.parametrize("left", HOSTS)
    def test_a_first_start_of_a_part_is_refused(self, left: str) -> None:
        world = World.empty()
        end = roll(world, set(HOSTS) - {left})
        assert end.word == "refused"
        assert not any(node.runs for node in world.nodes.values())

    @pytest.mark.parametrize("away", HOSTS)
    def test_a_first_start_with_a_member_out_of_sight_is_refused(self, away: str) -> None:
        world = World.empty()
        world.nodes[away].reachable = False
        end = roll(world)
        assert end.word == "refused"
        assert f"{away} cannot be read" in end.why

    @pytest.mark.parametrize("what", ["data", "container", "away"])
    def test_virgin_is_proven_by_every_member(self, what: str) -> None:
        world = World.empty()
        node = world.nodes["queue-03"]
        if what == "data":
            node.members = frozenset({name("queue-03")})
        elif what == "container":
            world.damage("queue-03", CONTAINER, running=False)
        else:
            node.reachable = False
        assert not virgin(world.live())


class TestData:
    def test_data_of_a_newer_series_is_refused_with_the_flag_and_the_version(self) -> None:
        world = World.healthy()
        world.damage("queue-02", DATA, newer=("message_containers", "rabbitmq_4.0.0"))
        with pytest.raises(RefusedError) as caught:
            MODULE.foreign(world.live())
        assert caught.value.where == "queue-02"
        assert "feature flags message_containers, rabbitmq_4.0.0" in caught.value.what
        assert "put RabbitMQ 4.0 or later into versions.yaml as `rabbitmq`" in caught.value.hint
        assert roll(world).word == "refused"


class TestCookie:
    def test_another_cookie_beside_data_is_refused_and_not_overwritten(self) -> None:
        world = World.healthy()
        world.damage("queue-02", COOKIE, digest="hmac-sha256:stale")
        end = roll(world)
        assert end.word == "refused"
        assert "not overwritten" in end.why
        assert world.trail == []

    def test_a_stale_cookie_without_data_is_replaced_before_the_start(self) -> None:
        world = World.empty()
        world.damage("queue-02", COOKIE, digest="hmac-sha256:stale")
        assert roll(world).word == "done"
        assert together(world)


class TestJoin:
    def test_a_node_with_queues_of_its_own_never_joins(self) -> None:
        world = World.healthy()
        for host in HOSTS[:2]:
            world.nodes[host].members = frozenset(map(name, HOSTS[:2]))
        world.nodes["queue-03"].members = frozenset({name("queue-03")})
        end = roll(world)
        assert end.word == "refused"
        assert "queue-03 holds 4 queues" in end.why
        assert world.trail == []

    def test_two_nodes_that_are_alone_with_queues_are_refused(self) -> None:
        world = World.healthy()
        for host, node in world.nodes.items():
            node.members = frozenset({name(host)})
        end = roll(world)
        assert end.word == "refused"
        assert "hold queues and are in no cluster" in end.why

    def test_a_second_run_neither_joins_nor_resets_anything(self) -> None:
        world = World.healthy()
        assert roll(world).word == "done"
        assert world.trail == []

    @pytest.mark.parametrize("host", HOSTS)
    def test_a_replaced_host_is_forgotten_before_it_starts_and_joins_as_new(
        self, host: str
    ) -> None:
        world = World.healthy()
        world.wipe(host)
        assert roll(world).word == "done"
        assert [word.split()[0] for word in names(world)] == [
            "prepare",
            "forget",
            "start",
            host,
        ]
        assert together(world)
        assert world.nodes[host].queues == 4

    def test_a_node_that_lacks_replicas_gets_them(self) -> None:
        world = World.healthy()
        world.nodes["queue-03"].lacking = ("orders",)
        assert roll(world).word == "done"
        assert names(world) == ["replicas of quorum queues"]


class TestStops:
    def test_all_stopped_nodes_start_together_because_they_wait_for_each_other(self) -> None:
        world = World.healthy()
        for host in HOSTS:
            world.damage(host, CONTAINER, running=False)
        assert roll(world).word == "done"
        assert names(world) == ["start together"]
        assert set(world.trail[0].hosts) == set(HOSTS)

    def test_a_new_image_rolls_one_node_at_a_time(self) -> None:
        world = World.healthy()
        for host in HOSTS:
            world.damage(host, CONTAINER, image="old:1.0")
        assert roll(world).word == "done"
        assert [stage.hosts for stage in world.trail] == [(host,) for host in HOSTS]

    def test_no_node_is_stopped_that_a_queue_can_not_do_without(self) -> None:
        world = World.healthy()
        world.damage("queue-02", CONTAINER, image="old:1.0")
        world.nodes["queue-02"].critical = ("orders",)
        end = roll(world)
        assert end.word == "gate"
        assert [stage.changes for stage in world.trail] == [()]
        assert "orders" in end.why
        waiting = release(world.live(), "queue-02")
        assert waiting is not None
        assert waiting.after is not None
        assert "orders" in str(waiting.after.reason(world.live()))

    def test_nothing_is_stopped_while_another_node_is_away(self) -> None:
        world = World.healthy()
        world.damage("queue-01", CONTAINER, image="old:1.0")
        world.nodes["queue-03"].reachable = False
        world.damage("queue-03", CONTAINER, running=False)
        end = roll(world)
        assert end.word in ("refused", "gate")
        assert world.nodes["queue-01"].states[CONTAINER].attributes["image"] == "old:1.0"


class TestChecks:
    def test_one_node_alone_is_never_green(self) -> None:
        world = World.healthy()
        for host in HOSTS[1:]:
            world.damage(host, CONTAINER, running=False)
        found = {f.check: f for f in MODULE.checks(world.live())}
        assert found["rabbitmq.cluster.whole"].level is Level.CRITICAL
        assert found["rabbitmq.cluster.whole"].message.startswith("1 of 3 nodes run")

    def test_a_whole_cluster_is_green_and_pause_minority_is_only_proposed(self) -> None:
        found = MODULE.checks(World.healthy().live())
        bad = {f.check: f for f in found if f.level is not Level.OK}
        assert list(bad) == ["rabbitmq.partition.handling"]
        assert bad["rabbitmq.partition.handling"].level is Level.WARN
        assert "the owner decides" in bad["rabbitmq.partition.handling"].hint
