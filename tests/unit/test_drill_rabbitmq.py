"""When RabbitMQ has recovered from a drill, and what an isolated node must answer."""

from __future__ import annotations

import subprocess

import pytest

from keybuzz.model.drill import Scenario
from rabbitmq_world import HOSTS, World, name
from site_values import memory_site, with_parameters
from tasks.rabbitmq.drill import DRILL

BREAKING = [s for s in Scenario if s is not Scenario.SWITCHOVER]


@pytest.mark.parametrize("scenario", BREAKING)
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
    assert "nobody leads" in DRILL.not_applicable[Scenario.SWITCHOVER]
    assert DRILL.leader(World.healthy().live()) is None


def test_a_cut_link_is_drilled_only_where_the_cluster_heals_its_partitions_by_itself() -> None:
    site = memory_site()
    assert "pause_minority" in DRILL.why_not(site, Scenario.LINK_CUT)
    assert DRILL.why_not(site, Scenario.HOST_KILLED) == ""
    healing = with_parameters(site, {"rabbitmq.partition_handling": "pause_minority"})
    assert DRILL.why_not(healing, Scenario.LINK_CUT) == ""


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
