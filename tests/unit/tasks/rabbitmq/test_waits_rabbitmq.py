"""What RabbitMQ's rollout waits for: before another module's change, for nodes on their way, and at its end."""

from __future__ import annotations

from dataclasses import replace

from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import Action, Change
from tasks.rabbitmq.rollout import next_stage, release
from tasks.rabbitmq.service.accounts import RabbitmqVhost
from tasks.rabbitmq.service.resources import RabbitmqMembership
from tests.unit.tasks.rabbitmq.rabbitmq_world import HOSTS, World
from tests.unit.tasks.rabbitmq.test_stages_rabbitmq import after, saying, stop


class TestRelease:
    def test_a_node_that_is_not_up_has_nothing_to_lose(self) -> None:
        world = stop(World.healthy(), "queue-02")
        assert release(world.live(), "queue-02") is None

    def test_nor_has_one_without_others(self) -> None:
        live = World.healthy().live()
        live = replace(live, hosts={"queue-01": live.hosts["queue-01"]})
        assert release(live, "queue-01") is None

    def test_two_are_enough_to_wait_for(self) -> None:
        live = World.healthy().live()
        live = replace(live, hosts={host: live.hosts[host] for host in HOSTS[:2]})
        stage = release(live, "queue-01")
        assert stage is not None
        assert (stage.name, stage.changes) == ("wait", ())

    def test_the_others_that_run_must_see_each_other(self) -> None:
        world = World.healthy()
        stage = release(world.live(), "queue-02")
        assert stage is not None
        assert stage.after is not None
        assert stage.after.name == "queues can do without queue-02"
        assert after(stage, world) is None
        assert after(stage, stop(World.healthy(), "queue-02")) is None
        assert after(stage, stop(World.healthy(), "queue-03")) is not None

    def test_one_that_does_not_run_is_not_waited_for(self) -> None:
        world = stop(World.healthy(), "queue-03")
        stage = release(world.live(), "queue-02")
        assert stage is not None
        assert after(stage, world) is None


class TestSettle:
    def partitioned(self, world: World) -> Live:
        return saying(world.live(), "queue-02", running=[])

    def test_nodes_on_their_way_are_waited_for(self) -> None:
        stage = next_stage(self.partitioned(World.healthy()))
        assert stage is not None
        assert (stage.name, stage.changes) == ("wait", ())
        assert stage.after is not None
        assert stage.after.name == "the cluster has settled"
        assert stage.after.reason(self.partitioned(World.healthy())) is not None
        assert stage.after.reason(World.healthy().live()) is None

    def test_not_by_a_run_of_a_member_that_is_stopped(self) -> None:
        live = stop(World.healthy(), "queue-01").live(())
        assert next_stage(live) is None

    def test_nor_by_a_run_of_none_of_them(self) -> None:
        live = self.partitioned(World.healthy())
        assert next_stage(replace(live, selected=frozenset())) is None


def test_what_applications_need_comes_last_and_when_all_is_well() -> None:
    live = World.healthy().live()
    view = live.hosts["queue-01"]
    [member] = [r for r in view.resources if isinstance(r, RabbitmqMembership)]
    vhost = Change("queue-01", "rabbitmq", RabbitmqVhost(member.access, "shop"), Action.CREATE)
    needed = replace(live, hosts={**live.hosts, "queue-01": replace(view, changes=(vhost,))})
    stage = next_stage(needed)
    assert stage is not None
    assert (stage.name, stage.changes) == ("vhosts and users of applications", (vhost,))
    waits = next_stage(saying(needed, "queue-02", running=[]))
    assert waits is not None
    assert waits.name == "wait"
