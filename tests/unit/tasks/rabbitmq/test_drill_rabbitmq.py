"""When RabbitMQ has recovered from a drill, and what an isolated node must answer."""

from __future__ import annotations

import subprocess

import pytest

from keybuzz.model.reports.drill import Scenario
from tasks.rabbitmq.drill import DRILL
from tests.unit.support.site_values import memory_site, with_parameters
from tests.unit.tasks.rabbitmq.rabbitmq_world import HOSTS, World, name

SEEN_AT_ONCE = [s for s in Scenario if s not in (Scenario.SWITCHOVER, Scenario.LINK_CUT)]


@pytest.mark.parametrize("scenario", SEEN_AT_ONCE)
@pytest.mark.parametrize("victim", HOSTS)
def test_two_nodes_that_run_together_are_enough(scenario: Scenario, victim: str) -> None:
    world = World.healthy()
    world.nodes[victim].reachable = False
    assert DRILL.not_recovered(world.live(), scenario, victim) is None


def test_the_victim_does_not_count_even_when_it_is_back() -> None:
    world = World.healthy()
    world.nodes["queue-01"].reachable = False
    told = DRILL.not_recovered(world.live(), Scenario.CONTAINER_KILLED, "queue-03")
    assert told == "0 nodes besides queue-03 run together, and 2 must"


def test_nodes_that_do_not_see_each_other_are_no_majority() -> None:
    world = World.healthy()
    for host in HOSTS:
        world.nodes[host].members = frozenset({name(host)})
    assert DRILL.not_recovered(world.live(), Scenario.HOST_KILLED, "queue-03")


def test_nobody_leads_so_nobody_hands_over() -> None:
    assert "the cluster has no leader" in DRILL.not_applicable[Scenario.SWITCHOVER]
    assert DRILL.leader(World.healthy().live()) is None


def test_a_cut_has_shown_something_when_the_others_have_gone_on_without_the_victim() -> None:
    world = World.healthy()
    world.nodes["queue-03"].reachable = False
    told = DRILL.not_recovered(world.live(), Scenario.LINK_CUT, "queue-03")
    assert told == "the others do not know yet that queue-03 is lost"
    gone_on(world)
    assert DRILL.not_recovered(world.live(), Scenario.LINK_CUT, "queue-03") is None


class TestHealing:
    def test_a_partition_that_nobody_heals_needs_the_victims_restart(self) -> None:
        world = partitioned()
        why = DRILL.unhealed(memory_site(), world.live(), "queue-03")
        assert why.startswith("queue-01, queue-02 see a partition, which does not heal")

    def test_a_victim_that_can_not_be_asked_yet_is_not_restarted(self) -> None:
        world = partitioned()
        world.nodes["queue-03"].reachable = False
        assert DRILL.unhealed(memory_site(), world.live(), "queue-03") == ""

    def test_a_cluster_that_heals_its_partitions_is_left_to_it(self) -> None:
        healing = with_parameters(memory_site(), {"rabbitmq.partition_handling": "pause_minority"})
        assert DRILL.unhealed(healing, partitioned().live(), "queue-03") == ""

    def test_nodes_that_are_on_their_way_back_are_left_alone(self) -> None:
        world = World.healthy()
        gone_on(world)
        assert DRILL.unhealed(memory_site(), world.live(), "queue-03") == ""


def gone_on(world: World) -> None:
    """Let queue-01 and queue-02 run on without queue-03."""
    world.nodes["queue-03"].members = frozenset({name("queue-03")})


def partitioned() -> World:
    world = World.healthy()
    gone_on(world)
    for host in ("queue-01", "queue-02"):
        world.nodes[host].partitions = (name("queue-03"),)
    return world


def test_a_node_that_can_not_be_asked_has_confirmed_nothing() -> None:
    site = memory_site()
    assert DRILL.isolated is not None
    attempt = DRILL.isolated(site, site.server("queue-03"))
    assert attempt.promised
    assert attempt.feed is not None
    refused = (*attempt.argv[:-1], "http://127.0.0.1:9/")
    done = subprocess.run(
        refused, input=attempt.feed.reveal(), capture_output=True, text=True, timeout=60, check=True
    )
    assert "refused" in done.stdout
    assert attempt.accepted not in done.stdout
