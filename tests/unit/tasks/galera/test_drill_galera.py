"""When Galera has recovered from a drill, and what is tried on a cut-off node."""

from __future__ import annotations

import pytest

from keybuzz.model.reports.drill import Scenario
from tasks.galera.drill import DRILL, isolated, workload
from tests.unit.support.site_values import memory_site
from tests.unit.tasks.galera.galera_world import HOSTS, World


@pytest.mark.parametrize("scenario", Scenario)
def test_it_has_recovered_when_the_others_serve_as_the_majority(scenario: Scenario) -> None:
    world = World.healthy()
    assert DRILL.not_recovered(world.live(), scenario, HOSTS[2]) is None
    world.crash(HOSTS[2])
    assert DRILL.not_recovered(world.live(), scenario, HOSTS[2]) is None
    world.nodes[HOSTS[1]].settled = False
    reason = DRILL.not_recovered(world.live(), scenario, HOSTS[2])
    assert reason == f"1 of 3 members are Synced in Primary beside {HOSTS[2]}"


def test_the_victim_itself_never_counts() -> None:
    world = World.healthy()
    world.nodes[HOSTS[0]].settled = False
    assert DRILL.not_recovered(world.live(), Scenario.LINK_CUT, HOSTS[1]) is not None


def test_every_acknowledged_row_is_promised() -> None:
    assert all(workload(memory_site(), scenario).promised for scenario in Scenario)
    attempt = isolated(memory_site(), memory_site().members("galera")[0])
    assert attempt.promised
    assert attempt.feed is not None
    lines = attempt.feed.reveal().splitlines()
    assert lines[2] == memory_site().secret("MARIADB_APP_PASSWORD").reveal()
    assert lines[3].startswith("insert into kbz_drill")


def test_nobody_leads_so_nothing_can_be_handed_over() -> None:
    assert set(DRILL.not_applicable) == {Scenario.SWITCHOVER}
    assert DRILL.leader(World.healthy().live()) is None
