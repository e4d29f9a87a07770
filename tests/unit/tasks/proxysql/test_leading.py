"""Where sessions are led while a node of Galera is interrupted (P-6): when, to whom, by which hosts, and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.engine.change.guard import disrupted
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from tasks.proxysql import MODULE
from tasks.proxysql.service.resources import ProxysqlWriter
from tests.unit.support.site_values import memory_site
from tests.unit.tasks.proxysql.proxysql_world import CONTAINER, HOSTS, NODES, World

NAMES = ("maria-01", "maria-02", "maria-03")


def away(world: World, name: str) -> Stage | None:
    return MODULE.lead_away(world.live(()), memory_site().server(name))


def back(world: World, name: str) -> Stage | None:
    return MODULE.lead_back(world.live(()), memory_site().server(name))


TABLES = "proxysql-tables:MYSQL SERVERS"


def nodes(stage: Stage) -> dict[str, str]:
    """Return the node that each host is told to raise."""
    wishes = {change.host: change.resource for change in stage.changes}
    assert all(isinstance(wish, ProxysqlWriter) for wish in wishes.values())
    return {host: wish.node for host, wish in wishes.items() if isinstance(wish, ProxysqlWriter)}


def test_both_hosts_lead_to_the_next_that_they_would_choose_and_back() -> None:
    world = World.healthy()
    stage = away(world, "maria-03")
    assert stage is not None
    assert nodes(stage) == dict.fromkeys(HOSTS, NODES[1])
    assert disrupted(stage) == frozenset()
    assert stage.after is not None
    assert "proxysql-01 leads writes to 10.0.0.172" in str(stage.after.reason(world.live(())))
    world.apply(stage)
    assert stage.after.reason(world.live(())) is None
    assert away(world, "maria-03") is None, "no member leads there any more"
    again = back(world, "maria-03")
    assert again is not None
    assert nodes(again) == dict.fromkeys(HOSTS, "")
    world.apply(again)
    assert again.after is not None
    assert again.after.reason(world.live(())) is None
    assert back(world, "maria-03") is None


@pytest.mark.parametrize("name", NAMES[:2])
def test_a_node_that_takes_no_writes_is_interrupted_without_more_ado(name: str) -> None:
    assert away(World.healthy(), name) is None
    assert back(World.healthy(), name) is None


def test_writes_come_back_only_when_every_host_sees_the_node_again() -> None:
    world = World.healthy()
    stage = away(world, "maria-03")
    assert stage is not None
    world.apply(stage)
    for host in HOSTS:
        world.nodes[host].offline = frozenset({NODES[2]})
    again = back(world, "maria-03")
    assert again is not None
    assert again.before is not None
    world.nodes[HOSTS[0]].offline = frozenset()
    assert again.before.reason(world.live(())) == "proxysql-02 does not see maria-03 Synced yet"
    world.nodes[HOSTS[1]].offline = frozenset()
    assert again.before.reason(world.live(())) is None


def test_a_node_that_one_host_does_not_see_sound_takes_no_writes() -> None:
    world = World.healthy()
    world.nodes[HOSTS[0]].offline = frozenset({NODES[1]})
    stage = away(world, "maria-03")
    assert stage is not None
    assert nodes(stage) == dict.fromkeys(HOSTS, NODES[0])
    world.nodes[HOSTS[1]].offline = frozenset({NODES[0]})
    assert away(world, "maria-03") is None, (
        "there is no other: the guard decides whether it may stop"
    )


def test_a_host_that_does_not_answer_or_run_holds_up_nothing() -> None:
    world = World.healthy()
    world.nodes[HOSTS[0]].reachable = False
    stage = away(world, "maria-03")
    assert stage is not None
    assert nodes(stage) == {HOSTS[1]: NODES[1]}
    world.damage(HOSTS[1], CONTAINER, running=False)
    assert away(world, "maria-03") is None
    assert away(World.empty(), "maria-03") is None


def test_a_host_that_already_leads_elsewhere_is_brought_to_the_same_node() -> None:
    """Two hosts that write to two nodes would only end when the writer stops."""
    world = World.healthy()
    world.nodes[HOSTS[0]].raised = NODES[0]
    stage = away(world, "maria-03")
    assert stage is not None
    assert nodes(stage) == dict.fromkeys(HOSTS, NODES[1])


def test_what_an_earlier_run_has_left_raised_is_taken_back_too() -> None:
    world = World.healthy()
    for host in HOSTS:
        world.nodes[host].raised = NODES[1]
    stage = away(world, "maria-02")
    assert stage is not None
    assert nodes(stage) == dict.fromkeys(HOSTS, NODES[2])
    again = back(world, "maria-01")
    assert again is not None
    assert nodes(again) == dict.fromkeys(HOSTS, "")


def test_of_two_hosts_of_which_one_cannot_be_led_elsewhere_none_is() -> None:
    """An edit that was not loaded on one host: the other one alone would be a second writer."""
    world = World.healthy()
    memory = world.nodes[HOSTS[1]].states[TABLES].attributes["memory"]
    assert isinstance(memory, tuple)
    edited = tuple(row.replace("weight=1000", "weight=7") for row in memory)
    assert edited != memory
    world.damage(HOSTS[1], TABLES, memory=edited)
    with pytest.raises(RefusedError, match="memory holds servers that do not run") as refused:
        away(world, "maria-03")
    assert refused.value.where == HOSTS[1]
    world.damage(HOSTS[1], TABLES, runtime=edited)
    assert away(world, "maria-03") is not None, "both run the same as their memory"


def test_what_the_monitor_has_long_not_looked_at_is_no_heir_and_not_synced() -> None:
    world = World.healthy()
    stage = away(world, "maria-03")
    assert stage is not None
    world.apply(stage)
    again = back(world, "maria-03")
    assert again is not None
    assert again.before is not None
    world.nodes[HOSTS[0]].age = 3001
    assert again.before.reason(world.live(())) == "proxysql-01 does not see maria-03 Synced yet"
    for node in world.nodes.values():
        node.raised = ""
    assert away(world, "maria-03") is None


def test_it_is_led_back_only_when_every_host_leads_to_the_described_node() -> None:
    """Both hosts that agree on the heir have not moved back yet."""
    world = World.healthy()
    stage = away(world, "maria-03")
    assert stage is not None
    world.apply(stage)
    again = back(world, "maria-03")
    assert again is not None
    assert again.after is not None
    assert again.after.reason(world.live(())) == "10.0.0.171 is raised on proxysql-01"
    world.apply(again)
    world.writer = NODES[1]
    assert again.after.reason(world.live(())) == (
        "proxysql-01 leads writes to 10.0.0.171 instead of 10.0.0.172"
    )
    world.writer = NODES[2]
    assert again.after.reason(world.live(())) is None


def test_a_host_is_told_what_each_node_weighs() -> None:
    stage = away(World.healthy(), "maria-03")
    assert stage is not None
    order = stage.changes[0].resource.order()
    assert order["weights"] == {f"{node}:3306": "1000" for node in NODES}
    assert order["leads"] == NODES[1]


def test_writes_are_not_led_to_a_node_in_maintenance_and_not_back_to_one() -> None:
    world, site = World.healthy(), memory_site()

    def resting(name: str) -> Live:
        return replace(world.live(()), resting=(site.server(name),))

    stage = MODULE.lead_away(resting("maria-02"), site.server("maria-03"))
    assert stage is not None
    assert nodes(stage) == dict.fromkeys(HOSTS, NODES[0])
    world.apply(stage)
    kept = resting("maria-03")
    assert MODULE.lead_back(kept, site.server("maria-02")) is None, "maria-03 would lead then"
    assert MODULE.lead_as_described(kept) is None
    assert back(world, "maria-03") is not None
    assert MODULE.lead_as_described(world.live(())) is not None
