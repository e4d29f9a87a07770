"""What the modules say about their drills, and which drill a name means."""

from __future__ import annotations

from datetime import date

import pytest

from keybuzz.cli.change import drill as command
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.drill.client import client_of
from keybuzz.engine.drill.drill import choose_drill
from keybuzz.engine.drill.faults import NoFaults
from keybuzz.engine.drill.ground import not_green
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.core.live import Live
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.reports.drill import DrillReport, Scenario, Tally, Trial, Verdict
from keybuzz.policy.context import context_of
from keybuzz.report.text.drill import drill_document, drill_text
from keybuzz.site.drill import Drill, by_the_other
from keybuzz.site.module import Module
from tasks.patroni import MODULE as PATRONI
from tasks.patroni.drill import DRILL
from tests.unit.support.site_values import PLANTED, memory_site, with_parameters
from tests.unit.tasks.patroni.cluster_world import World

DRILLS = [(module, plan) for module in all_modules() for plan in module.drills]
NAMES = [plan.name or module.name for module, plan in DRILLS]
OTHERS = [s for s in Scenario if s is not Scenario.CONTAINER_KILLED]


def test_drills_are_found_by_their_name_and_by_their_modules() -> None:
    for name, plan in (
        ("haproxy", "haproxy"),
        ("pgbouncer", "pgbouncer"),
        ("postgres-proxy", "haproxy"),
    ):
        module, found = choose_drill(name, all_modules())
        assert (module.name, found.name) == ("postgres-proxy", plan)
    for name in ("patroni", "redis-proxy", "rabbitmq-proxy", "proxysql"):
        assert choose_drill(name, all_modules())[0].name == name
    with pytest.raises(UsageError, match="there is no drill base"):
        choose_drill("base", all_modules())


@pytest.mark.parametrize("plan", [plan for _, plan in DRILLS], ids=NAMES)
@pytest.mark.parametrize("scenario", Scenario)
def test_every_drill_writes_to_an_official_endpoint_and_says_what_may_be_lost(
    plan: Drill, scenario: Scenario
) -> None:
    site = memory_site()
    workload = plan.workload(site, scenario)
    endpoints = context_of(site, date(2026, 1, 1)).endpoints
    official = {(str(found.address), port) for found in endpoints for port in found.ports}
    assert ("10.0.0.134", 9000) in official  # MinIO's, which is no load balancer's (MIN-5)
    assert (workload.address, workload.port) in official
    assert workload.promised or len(workload.expectation) > 20
    client_of(workload).close()


@pytest.mark.parametrize(("module", "plan"), DRILLS, ids=NAMES)
def test_a_secret_is_in_no_word_of_an_isolated_write(module: Module, plan: Drill) -> None:
    if plan.isolated is None:
        return
    site = memory_site()
    for server in site.members(module.group):
        attempt = plan.isolated(site, server)
        assert PLANTED not in " ".join(attempt.argv)
        assert attempt.accepted not in " ".join(attempt.argv)
        # An error that repeats the statement must not look like a write that was accepted.
        assert attempt.feed is None or attempt.accepted not in attempt.feed.reveal()
        assert attempt.promised or len(attempt.expectation) > 20


def test_patroni_has_recovered_when_another_leads() -> None:
    live = World.healthy(3, "db-2").live()
    for scenario in OTHERS:
        assert DRILL.not_recovered(live, scenario, "db-1") is None
        assert DRILL.not_recovered(live, scenario, "db-2") == "db-2 still leads"
    assert DRILL.not_recovered(live, Scenario.CONTAINER_KILLED, "db-2") is None
    world = World.healthy(3)
    world.leader = None
    for each in Scenario:
        assert DRILL.not_recovered(world.live(), each, "db-1") == "no member leads"


@pytest.mark.parametrize(
    ("module", "drill"),
    # The ingress of K3s is on every node: it has no other host that takes over.
    [(module, plan) for module, plan in DRILLS if module.entrances and module.name != "k3s"],
    ids=lambda item: item.name,
)
def test_every_entry_has_recovered_when_the_other_host_takes_sessions(
    module: Module, drill: Drill
) -> None:
    nobody = Live(module.name, (), {}, {}, frozenset())
    assert (
        drill.not_recovered(nobody, Scenario.HOST_KILLED, "one") == "no other host takes sessions"
    )
    taking = by_the_other(lambda live: frozenset({"one"}))
    assert taking(nobody, Scenario.HOST_KILLED, "two") is None
    assert taking(nobody, Scenario.HOST_KILLED, "one") == "no other host takes sessions"
    assert "both take sessions" in drill.not_applicable[Scenario.SWITCHOVER]
    assert drill.workload(memory_site(), Scenario.HOST_KILLED).port in {
        entrance.port for entrance in module.entrances
    }


def test_green_is_every_member_and_every_check() -> None:
    world = World.healthy(3)
    assert not_green(PATRONI, world.live()) == ""
    world.nodes["db-3"].reachable = False
    assert not_green(PATRONI, world.live()).startswith("db-3 does not answer")
    world.nodes["db-3"].reachable = True
    world.nodes["db-2"].settled = False
    assert "db-2" in not_green(PATRONI, world.live())


def test_production_has_nobody_who_pulls_plugs_and_says_so() -> None:
    faults = NoFaults()
    for scenario in Scenario:
        assert bool(faults.why_not(scenario)) == scenario.silences
    with pytest.raises(RefusedError):
        faults.kill_host("db-master-01")


@pytest.mark.parametrize("typed", ["", "redis"])
def test_a_drill_is_confirmed_by_its_own_name(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises((RefusedError, UsageError)):
        command._require_confirmed("patroni", typed)
    command._require_confirmed("patroni", "patroni")


def trial(verdict: Verdict, **more: object) -> Trial:
    return Trial(Scenario.HOST_KILLED, "db-1", verdict, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdicts", "interrupted", "code"),
    [
        ((Verdict.RECOVERED,), False, ExitCode.GOOD),
        ((Verdict.RECOVERED, Verdict.NOT_AVAILABLE), False, ExitCode.GOOD),
        ((Verdict.NOT_AVAILABLE,), False, ExitCode.REFUSED),
        ((), False, ExitCode.REFUSED),
        ((Verdict.RECOVERED, Verdict.FAILED), False, ExitCode.FAILED),
        ((Verdict.ABORTED,), False, ExitCode.FAILED),
        ((Verdict.ABORTED,), True, ExitCode.INTERRUPTED),
    ],
)
def test_the_last_word(verdicts: tuple[Verdict, ...], interrupted: bool, code: ExitCode) -> None:
    trials = tuple(trial(verdict) for verdict in verdicts)
    report = DrillReport("patroni", "patroni", "10.0.0.10:5432", trials, 1.0, interrupted)
    assert report.exit_code is code


def test_the_report_says_everything_in_both_forms() -> None:
    lost = trial(
        Verdict.FAILED,
        messages=("3 acknowledged writes are lost, and none may be",),
        seconds=24.91,
        limit=120.0,
        tally=Tally(340, 3, 2, 1),
        leader_before="db-1",
        leader_after="db-2",
        restored=False,
    )
    report = DrillReport("patroni", "patroni", "10.0.0.10:5432", (lost,), 50.0, number=7)
    text = drill_text(report)
    for part in ("24.9 s", "340", "db-1 → db-2", "3 acknowledged writes are lost", "NOT RESTORED"):
        assert part in text
    assert text.endswith("run 7: 1 failed; NOT green at the end; 50.0 s; exit 1\n")
    document = drill_document(report)
    assert document["format_version"] == 1
    [found] = document["trials"]
    assert (found["acknowledged"], found["lost"], found["unknown"]) == (340, 3, 2)
    assert found["seconds_without_writes"] == 24.91


@pytest.mark.parametrize("least", ["0", "1", "2"])
def test_what_redis_loses_is_told_with_the_setting_that_decides_it(least: str) -> None:
    site = with_parameters(memory_site(), {"redis.min_replicas_to_write": least})
    [plan] = next(module for module in all_modules() if module.name == "redis").drills
    workload = plan.workload(site, Scenario.HOST_KILLED)
    assert workload.setting == f"min-replicas-to-write {least}"
    assert plan.isolated is not None
    told = plan.isolated(site, site.server("redis-01")).expectation
    assert ("until it hears of the new one" in told) is (least == "0")
    assert ("silent for 10 s" in told) is (least != "0")
    trials = (
        Trial(Scenario.HOST_KILLED, "redis-01", Verdict.RECOVERED, tally=Tally(90, 3, 1, 0)),
        Trial(Scenario.LINK_CUT, "redis-02", Verdict.RECOVERED, tally=Tally(10, 0, 1, 0)),
    )
    report = DrillReport("redis", "redis", "10.0.0.10:6379", trials, 1.0, setting=workload.setting)
    text = drill_text(report)
    assert f"with min-replicas-to-write {least}: 3 of 100 acknowledged writes were lost" in text
    assert drill_document(report)["setting"] == workload.setting
