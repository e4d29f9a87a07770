"""FRZ-1 over three hosts: a deployed frozen cluster is reported and left alone, unless the run lifts the freeze."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine import events
from keybuzz.engine.change.freeze import Lift, lift
from keybuzz.engine.change.run import RunRequest, run
from keybuzz.engine.tasks import converging
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.reports.report import Report
from keybuzz.site.module import Module
from keybuzz.site.policies import Policies
from tests.flow.support.fleet import HOSTS, Demo, Fleet, fleet
from tests.flow.support.links import register


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    """Three hosts of a site where the group of the test's module is frozen."""
    register()
    with fleet(tmp_path) as made:
        site = replace(made.site, policies=Policies(freeze=("patroni",)))
        made.nornir.config.user_defined["site"] = site
        yield replace(made, workspace=replace(made.workspace, site=site))


def no_file(live: Live) -> bool:
    """Virgin: every member was asked, and none has the module's file."""
    identities = [view.resources[0].identity for view in live.hosts.values()]
    there = [view.present(name) for view, name in zip(live.hosts.values(), identities, strict=True)]
    return len(live.hosts) == len(HOSTS) and not any(there)


def frozen(three: Fleet) -> Module:
    return replace(Demo(three.hosts).module(), virgin=no_file)


def lifting(three: Fleet, module: Module) -> Report:
    word = Lift(frozenset({module.name}), "the owner wants it, for the test")
    request = RunRequest((module,), frozenset(HOSTS), 0.0, 60.0, lifted=word)
    return run(three.workspace, request)


def test_a_virgin_cluster_is_installed(three: Fleet) -> None:
    report = three.run(frozen(three))
    assert report.exit_code == ExitCode.GOOD
    assert [three.text(host) for host in HOSTS] == ["new\n"] * 3


def test_a_deployed_cluster_is_reported_and_not_changed(three: Fleet) -> None:
    module = frozen(three)
    three.run(module)
    edited = three.hosts[HOSTS[1]].files / "app.conf"
    edited.write_text("by hand\n")
    before = edited.stat().st_ino, edited.stat().st_mtime_ns
    report = three.run(module)
    assert report.exit_code == ExitCode.REFUSED
    assert "FRZ-1" in report.error
    assert "--lift-freeze demo" in report.error
    assert report.plan.size == 1
    assert report.hosts[HOSTS[1]].outcome is Outcome.SKIPPED
    assert edited.read_text() == "by hand\n"
    assert (edited.stat().st_ino, edited.stat().st_mtime_ns) == before
    assert three.run(module, only=(HOSTS[0],)).exit_code == ExitCode.GOOD


def test_a_lift_lets_one_run_through(three: Fleet) -> None:
    module = frozen(three)
    three.run(module)
    (three.hosts[HOSTS[1]].files / "app.conf").write_text("by hand\n")
    assert lifting(three, module).exit_code == ExitCode.GOOD
    assert three.text(HOSTS[1]) == "new\n"
    (three.hosts[HOSTS[1]].files / "app.conf").write_text("by hand\n")
    assert three.run(module).exit_code == ExitCode.REFUSED


def test_a_stage_that_only_waited_frees_nothing(three: Fleet) -> None:
    module = frozen(three)
    three.run(module)
    (three.hosts[HOSTS[1]].files / "app.conf").write_text("by hand\n")
    waits = iter([Stage("wait", ())])

    def waits_first(live: Live) -> Stage | None:
        return next(waits, None) or module.next_stage(live)

    report = three.run(replace(module, next_stage=waits_first))
    assert report.exit_code == ExitCode.REFUSED
    assert three.text(HOSTS[1]) == "by hand\n"


def test_data_on_one_member_is_enough_to_be_deployed(three: Fleet) -> None:
    (three.hosts[HOSTS[2]].files / "app.conf").write_text("older than kbz\n")
    assert three.run(frozen(three)).exit_code == ExitCode.REFUSED
    assert [three.text(host) for host in HOSTS] == [None, None, "older than kbz\n"]


def test_a_first_install_that_was_cut_off_is_finished_by_the_next_run(three: Fleet) -> None:
    module = frozen(three)

    def stop_after_the_first(event: events.Event) -> None:
        if isinstance(event, events.StepEnded):
            three.workspace.stop.set()

    cut = three.listening(stop_after_the_first).run(module)
    assert cut.exit_code == ExitCode.INTERRUPTED
    assert three.text(HOSTS[0]) == "new\n"
    assert three.text(HOSTS[2]) is None
    three.workspace.stop.clear()
    assert three.run(module).exit_code == ExitCode.GOOD
    (three.hosts[HOSTS[1]].files / "app.conf").write_text("by hand\n")
    assert three.run(module).exit_code == ExitCode.REFUSED


def test_a_script_can_not_converge_a_frozen_module(three: Fleet) -> None:
    results = three.nornir.run(task=converging(frozen(three)))
    errors = [results[host][0].exception for host in HOSTS]
    assert all(isinstance(error, RefusedError) for error in errors)
    assert [three.text(host) for host in HOSTS] == [None] * 3


@pytest.mark.parametrize(
    ("modules", "reason", "said"),
    [
        (("demo",), "", "needs --reason"),
        (("demo",), "because", "needs --reason"),
        (("redis",), "the owner wants it", "does not touch"),
        ((), "the owner wants it", "belongs to --lift-freeze"),
    ],
)
def test_a_lift_is_said_in_full(
    three: Fleet, modules: tuple[str, ...], reason: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        lift(modules, reason, (frozen(three),))
