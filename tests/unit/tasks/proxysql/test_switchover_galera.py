"""`kbz switchover galera`: the entries move the writer to a node, and back to the one that equal weights choose."""

from __future__ import annotations

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Stage
from tasks.proxysql.leading import SWITCHOVER
from tasks.proxysql.service.resources import ProxysqlWriter
from tests.unit.support.site_values import memory_site
from tests.unit.tasks.proxysql.proxysql_world import HOSTS, NODES, World

SERVERS = memory_site().members("galera")
FIRST, SECOND, THIRD = SERVERS


def raised(stage: Stage) -> dict[str, str]:
    wishes = {change.host: change.resource for change in stage.changes}
    return {host: wish.node for host, wish in wishes.items() if isinstance(wish, ProxysqlWriter)}


def test_the_writer_moves_to_the_named_node_and_back_without_a_trace() -> None:
    world = World.healthy()
    assert SWITCHOVER.leads(world.live(()), SERVERS) == THIRD.name
    stage = SWITCHOVER.stage(world.live(()), THIRD, FIRST)
    assert raised(stage) == dict.fromkeys(HOSTS, NODES[0])
    world.apply(stage)
    assert stage.after is not None
    assert stage.after.reason(world.live(())) is None
    assert SWITCHOVER.leads(world.live(()), SERVERS) == FIRST.name
    back = SWITCHOVER.stage(world.live(()), FIRST, THIRD)
    assert raised(back) == dict.fromkeys(HOSTS, "")
    world.apply(back)
    assert SWITCHOVER.leads(world.live(()), SERVERS) == THIRD.name


def test_without_a_name_the_next_by_equal_weights_takes_the_writes() -> None:
    stage = SWITCHOVER.stage(World.healthy().live(()), THIRD, None)
    assert raised(stage) == dict.fromkeys(HOSTS, NODES[1])


def test_a_node_that_one_entry_does_not_see_synced_cannot_take_over() -> None:
    world = World.healthy()
    world.nodes[HOSTS[1]].offline = frozenset({NODES[0]})
    found = {c.host: c.unable for c in SWITCHOVER.candidates(world.live(()), SERVERS)}
    assert found == {FIRST.name: f"{HOSTS[1]} could not lead writes to it now", SECOND.name: ""}
    with pytest.raises(RefusedError, match="no other node than"):
        SWITCHOVER.stage(world.live(()), THIRD, FIRST)


def test_an_entry_that_is_away_would_lead_elsewhere_so_that_no_node_can_take_over() -> None:
    world = World.healthy()
    world.nodes[HOSTS[1]].reachable = False
    assert all(found.unable for found in SWITCHOVER.candidates(world.live(()), SERVERS))


def test_entries_that_do_not_agree_hand_over_nothing() -> None:
    world = World.healthy()
    world.nodes[HOSTS[0]].raised = NODES[0]
    with pytest.raises(RefusedError, match="not all to one node"):
        SWITCHOVER.leads(world.live(()), SERVERS)
