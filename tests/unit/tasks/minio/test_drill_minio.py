"""When MinIO has recovered from a drill, who is spared, and what is tried on a cut-off node."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from keybuzz.engine.drill.drill import not_available
from keybuzz.model.reports.drill import Scenario
from tasks.minio import MODULE
from tasks.minio.drill import DRILL, isolated, unfit, workload
from tests.unit.support.site_values import PLANTED, memory_site
from tests.unit.tasks.minio.minio_world import HOSTS, World

AWAY = [s for s in Scenario if s is not Scenario.CONTAINER_KILLED]


@pytest.mark.parametrize("scenario", Scenario)
def test_it_has_recovered_when_the_others_have_the_write_quorum(scenario: Scenario) -> None:
    world = World.healthy()
    world.stop("minio-03")
    assert DRILL.not_recovered(world.live(), scenario, "minio-03") is None
    world.stop("minio-02")
    reason = DRILL.not_recovered(world.live(), scenario, "minio-03")
    assert reason == "0 nodes beside minio-03 have the write quorum, and 2 must"


def test_the_victim_itself_never_counts() -> None:
    world = World.healthy()
    world.stop("minio-01")
    assert DRILL.not_recovered(world.live(), Scenario.LINK_CUT, "minio-02") is not None


def test_a_spared_victim_is_a_line_of_the_report_with_its_reason() -> None:
    faults = SimpleNamespace(why_not=lambda scenario: "")
    work = SimpleNamespace(site=memory_site())
    ground: Any = SimpleNamespace(drill=DRILL, workspace=work, faults=faults, module=MODULE)
    live = World.healthy().live()
    said = not_available(ground, Scenario.HOST_KILLED, "minio-01", live)
    assert "minio-01 is the only entry" in said
    assert not_available(ground, Scenario.HOST_KILLED, "minio-02", live) == ""


@pytest.mark.parametrize("scenario", AWAY)
def test_the_only_entry_is_spared_where_it_would_stay_away(scenario: Scenario) -> None:
    site = memory_site()
    assert "only entry (MIN-5)" in unfit(site, scenario, "minio-01")
    assert [unfit(site, scenario, host) for host in HOSTS[1:]] == ["", ""]
    assert unfit(site, Scenario.CONTAINER_KILLED, "minio-01") == ""


def test_every_acknowledged_put_is_promised() -> None:
    assert all(workload(memory_site(), scenario).promised for scenario in Scenario)
    attempt = isolated(memory_site(), memory_site().server("minio-02"))
    assert attempt.promised
    assert attempt.argv[-2:] == ("10.0.0.131:9000", "/kbz-drill/-1")
    assert attempt.feed is not None
    assert PLANTED in attempt.feed.reveal()
    assert DRILL.leader(World.healthy().live()) is None
