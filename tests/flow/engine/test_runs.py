"""Whole runs over three hosts: order, gates, hosts that are away, and what a second run finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine import events
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.reading import DirectoryListing
from keybuzz.model.host.files import File, HostValidator
from keybuzz.model.reports.report import Report
from tests.flow.support.fleet import (
    FIRST,
    HOSTS,
    SECOND,
    THIRD,
    Demo,
    Fleet,
    all_at_once,
    conf,
    fleet,
    one_by_one,
)
from tests.flow.support.links import AWAY, COUNTING, CountingLink, register


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    register()
    with fleet(tmp_path) as made:
        yield made


def outcomes(report: Report) -> list[Outcome]:
    return [report.hosts[host].outcome for host in HOSTS if host in report.hosts]


def stages(three: Fleet) -> list[str]:
    return [event.name for event in three.heard.of(events.StageStarted)]


def test_a_run_changes_every_host_once_and_the_next_asks_once(three: Fleet) -> None:
    three.connect_by(COUNTING, *HOSTS)
    demo = Demo(three.hosts).module()
    report = three.run(demo)
    assert (report.exit_code, outcomes(report)) == (ExitCode.GOOD, [Outcome.CHANGED] * 3)
    assert [three.text(host) for host in HOSTS] == ["new\n"] * 3
    asked: list[list[tuple[str, str]]] = []
    for host in HOSTS:
        link = three.nornir.inventory.hosts[host].connections[COUNTING]
        assert isinstance(link, CountingLink)
        link.asked.clear()
        asked.append(link.asked)
    before = [three.hosts[host].files.joinpath("app.conf").stat() for host in HOSTS]
    again = three.run(demo)
    assert (again.exit_code, outcomes(again), again.plan.size) == (0, [Outcome.OK] * 3, 0)
    # A connection that is open already is asked for the lease; it comes with a new one (test_lease.py).
    assert asked == [[("hold", host), ("probe", host)] for host in HOSTS]
    assert [three.hosts[host].files.joinpath("app.conf").stat() for host in HOSTS] == before


def test_a_roll_goes_host_by_host_and_a_stage_asks_each_host_once(three: Fleet) -> None:
    assert three.run(Demo(three.hosts).module()).exit_code == ExitCode.GOOD
    assert stages(three) == [f"bring {host}" for host in HOSTS]
    steps = [e.host for e in three.heard.of(events.StepEnded)]
    assert steps == list(HOSTS)


def refusing_on(three: Fleet, name: str) -> Demo:
    """A roll whose validator refuses on one host."""
    refuse = HostValidator(("sh", "-c", f"case {{}} in */{name}/*) echo no good; exit 1;; esac"))
    return Demo(three.hosts, lambda host: (conf(host, validator=refuse),))


def gated(three: Fleet, timeout: float) -> Demo:
    """A roll in which each host must hold a file `ready` before the next one is touched."""

    def reason(host: str, live: Live) -> str | None:
        names = live.hosts[host].answer("files").value["names"]
        return None if "ready" in names else f"{host} has only {', '.join(names)}"

    def next_stage(live: Live) -> Stage | None:
        stage = one_by_one(live)
        if stage is None:
            return None
        (host,) = stage.hosts
        gate = Gate(f"{host} is ready", lambda now: reason(host, now), timeout)
        return Stage(stage.name, stage.changes, after=gate)

    return Demo(
        three.hosts,
        next_stage=next_stage,
        readings=lambda host: (DirectoryListing("files", str(host.files)),),
    )


def test_a_gate_is_polled_until_it_holds(three: Fleet) -> None:
    def make_ready(event: events.Event) -> None:
        if isinstance(event, events.GateWaiting):
            host = event.name.split()[0]
            (three.hosts[host].files / "ready").touch()

    report = three.listening(make_ready).run(gated(three, 20).module())
    assert (report.exit_code, outcomes(report)) == (0, [Outcome.CHANGED] * 3)
    told = [
        event
        for event in three.heard.events
        if isinstance(event, events.StageStarted | events.GateWaiting | events.GateHeld)
    ]
    assert [type(event).__name__ for event in told] == [
        "StageStarted",
        "GateWaiting",
        "GateHeld",
    ] * 3
    reasons = [event.reason for event in three.heard.of(events.GateWaiting)]
    assert reasons == [f"{host} has only app.conf" for host in HOSTS]


def test_a_gate_that_never_holds_fails_with_its_last_reason(three: Fleet) -> None:
    def add(event: events.Event) -> None:
        if isinstance(event, events.GateWaiting):
            (three.hosts[FIRST].files / "beginning").touch()

    report = three.listening(add).run(gated(three, 0.7).module())
    assert report.exit_code == ExitCode.FAILED
    assert f"“{FIRST} is ready” did not hold within 0.7 s" in report.error
    assert f"{FIRST} has only app.conf, beginning" in report.error
    assert outcomes(report) == [Outcome.CHANGED, Outcome.SKIPPED, Outcome.SKIPPED]
    assert [three.text(host) for host in HOSTS] == ["new\n", None, None]


def test_a_gate_that_can_hold_no_more_fails_at_once(three: Fleet) -> None:
    module = gated(three, 600).module()

    def next_stage(live: Live) -> Stage | None:
        stage = module.next_stage(live)
        if stage is None or stage.after is None:
            return stage
        return replace(stage, after=replace(stage.after, hopeless=lambda live: "it has ended"))

    report = three.run(replace(module, next_stage=next_stage))
    assert report.exit_code == ExitCode.FAILED
    assert f"“{FIRST} is ready” can hold no more: it has ended" in report.error
    assert three.heard.of(events.GateWaiting) == []


def test_the_first_red_stage_stops_the_roll(three: Fleet) -> None:
    report = three.run(refusing_on(three, SECOND).module())
    assert report.exit_code == ExitCode.FAILED
    assert outcomes(report) == [Outcome.CHANGED, Outcome.FAILED, Outcome.SKIPPED]
    assert "no good" in report.hosts[SECOND].what
    assert [report.hosts[host].remaining for host in HOSTS] == [0, 1, 1]
    assert [three.text(host) for host in HOSTS] == ["new\n", None, None]
    assert stages(three) == [f"bring {FIRST}", f"bring {SECOND}"]
    mended = three.run(Demo(three.hosts).module())
    assert (mended.exit_code, outcomes(mended)[0]) == (ExitCode.GOOD, Outcome.OK)


def test_one_host_that_is_away_holds_nobody_up(three: Fleet) -> None:
    three.connect_by(AWAY, SECOND)
    report = three.run(Demo(three.hosts).module())
    assert report.exit_code == ExitCode.UNREACHABLE
    assert outcomes(report) == [Outcome.CHANGED, Outcome.UNREACHABLE, Outcome.CHANGED]
    assert "nothing answers at 10.0.0.121:22" in report.hosts[SECOND].what
    assert report.checked == (2, 3)
    assert [event.hosts for event in three.heard.of(events.HostsLost)] == [(SECOND,)]


@pytest.mark.parametrize("next_stage", [one_by_one, all_at_once])
def test_a_host_lost_inside_a_step_is_unknown(
    three: Fleet, next_stage: Callable[[Live], Stage | None]
) -> None:
    lose = HostValidator(("sh", "-c", f"case {{}} in */{SECOND}/*) kill -9 $PPID;; esac"))
    demo = Demo(three.hosts, lambda host: (conf(host, validator=lose),), next_stage)
    report = three.run(demo.module())
    assert report.exit_code == ExitCode.UNREACHABLE
    third = Outcome.SKIPPED if next_stage is one_by_one else Outcome.CHANGED
    assert outcomes(report) == [Outcome.CHANGED, Outcome.UNKNOWN, third]
    assert "contact was lost during apply" in report.hosts[SECOND].what
    mended = three.run(Demo(three.hosts).module())
    assert mended.exit_code == ExitCode.GOOD
    assert [three.text(host) for host in HOSTS] == ["new\n"] * 3


def test_a_host_lost_between_two_stages_stops_no_other(three: Fleet) -> None:
    def lose(event: events.Event) -> None:
        if isinstance(event, events.StageStarted) and event.hosts == (FIRST,):
            three.connect_by(AWAY, THIRD)

    report = three.listening(lose).run(Demo(three.hosts).module())
    assert report.exit_code == ExitCode.UNREACHABLE
    assert outcomes(report) == [Outcome.CHANGED, Outcome.CHANGED, Outcome.UNREACHABLE]


def test_what_changes_itself_back_is_told_and_not_tried_for_ever(three: Fleet) -> None:
    def undo(event: events.Event) -> None:
        if isinstance(event, events.StepEnded):
            (three.hosts[event.host].files / "app.conf").write_text("other\n")

    report = three.listening(undo).run(Demo(three.hosts).module(), only=(FIRST,))
    assert report.exit_code == ExitCode.FAILED
    assert "was applied and the hosts still differ: file:" in report.error
    assert stages(three) == [f"bring {FIRST}"]


def unhealthy(live: Live) -> tuple[Finding, ...]:
    level = Level.CRITICAL if SECOND in live.hosts else Level.OK
    return (Finding("demo.alive", level, "it is down", SECOND, "start it"),)


def test_a_required_module_must_be_healthy_first(three: Fleet) -> None:
    base = Demo(three.hosts, checks=unhealthy, name="base").module()
    other = Demo(three.hosts, lambda h: (File(str(h.files / "b"), conf(h).content),), name="b")
    report = three.run(base, other.module())
    assert report.exit_code == ExitCode.REFUSED
    assert "module base is required first and is not healthy: demo.alive" in report.error
    assert [three.text(host, "b") for host in HOSTS] == [None] * 3


def test_a_run_that_leaves_a_host_unhealthy_is_no_good_run(three: Fleet) -> None:
    report = three.run(Demo(three.hosts, checks=unhealthy).module())
    assert (report.exit_code, outcomes(report)) == (ExitCode.FAILED, [Outcome.CHANGED] * 3)
