"""Whose data it is: another node's, or what is left of a cluster, is never begun with."""

from __future__ import annotations

import pytest

from tasks.rabbitmq.members import CONTAINER, DATA
from tasks.rabbitmq.rollout import refuse_foreign
from tests.unit.tasks.rabbitmq.rabbitmq_world import HOSTS, World
from tests.unit.tasks.rabbitmq.test_stages_rabbitmq import refused, unread


class TestWhoseData:
    CLUSTER = tuple(f"rabbit@{host}" for host in HOSTS)

    def test_a_node_of_another_name_is_never_begun_beside(self) -> None:
        world = World.healthy()
        world.damage("queue-02", CONTAINER, running=False)
        world.damage("queue-02", DATA, nodes=("rabbit@old-queue",))
        error = refused(world.live())
        assert error.where == "queue-02"
        assert "the data is of rabbit@old-queue, and rabbit@queue-02 is described" in error.what

    def test_a_node_that_is_not_selected_holds_no_other_up(self) -> None:
        world = World.healthy()
        world.damage("queue-02", CONTAINER, running=False)
        world.damage("queue-02", DATA, nodes=("rabbit@old-queue",))
        refuse_foreign(world.live({"queue-01"}))
        left = World.empty()
        self.left(left, "queue-01")
        refuse_foreign(left.live({"queue-02"}))

    def test_its_own_tables_beside_others_are_its_own(self) -> None:
        world = World.healthy()
        world.damage("queue-02", CONTAINER, running=False)
        world.damage("queue-02", DATA, nodes=("rabbit@old", "rabbit@queue-02"))
        refuse_foreign(world.live())

    def test_one_that_is_left_of_three_starts_no_cluster(self) -> None:
        world = World.empty()
        self.left(world, "queue-01")
        error = refused(world.live())
        assert error.where == "queue-01"
        assert "data of a cluster of 3, and queue-02, queue-03 hold none" in error.what

    def test_two_of_three_have_a_majority(self) -> None:
        world = World.empty()
        self.left(world, "queue-01")
        self.left(world, "queue-02")
        refuse_foreign(world.live())

    def test_a_first_start_that_was_cut_off_goes_on(self) -> None:
        """A node that never joined another lists itself alone."""
        world = World.empty()
        self.left(world, "queue-01", ("rabbit@queue-01",))
        refuse_foreign(world.live())

    def test_beside_one_that_runs_bare_hosts_are_replaced_ones(self) -> None:
        world = World.healthy()
        for host in HOSTS[1:]:
            world.nodes[host] = World.empty().nodes[host]
        refuse_foreign(world.live())

    def test_one_that_is_left_of_two_starts_no_cluster_beside_one_that_the_run_leaves_out(
        self,
    ) -> None:
        world = World.empty()
        self.left(world, "queue-01")
        self.left(world, "queue-02", self.CLUSTER[1:])
        error = refused(world.live(("queue-02",)))
        assert error.where == "queue-02"
        assert "data of a cluster of 2, and queue-03 hold none" in error.what

    def test_where_a_node_has_started_and_is_silent_nothing_is_called_lost(self) -> None:
        """It may hold what was started over an empty listing: it is waited for, not judged."""
        world = World.empty()
        self.left(world, "queue-01")
        running = World.healthy().nodes["queue-02"].states[CONTAINER]
        world.nodes["queue-02"].states[CONTAINER] = running
        refuse_foreign(unread(world.live(), "queue-02", "Connection refused"))

    def left(self, world: World, host: str, formed: tuple[str, ...] = CLUSTER) -> None:
        world.nodes[host].members = frozenset(formed)


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        (("a", "b", "c"), "feature flags a, b, c, which"),
        (("a", "b", "c", "d"), "feature flags a, b, c …, which"),
    ],
)
def test_of_many_new_feature_flags_three_are_told(flags: tuple[str, ...], shown: str) -> None:
    world = World.healthy()
    world.damage("queue-02", DATA, newer=flags)
    assert shown in refused(world.live()).what
