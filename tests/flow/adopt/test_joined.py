"""A restart of Docker is part of the step that replaces a member there: each member is interrupted once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine import events
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import ExitCode, Outcome
from tests.flow.engine.test_quorum import cluster, engine, outcomes, texts
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, THIRD, Fleet, fleet, one_by_one
from tests.flow.support.links import register


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Three hosts of a cluster; on the first two the cluster and the engine differ, on the third only the engine."""
    register()
    with fleet(tmp_path) as made:
        every = (engine(made, patient), cluster(made, one_by_one))
        monkeypatch.setattr("keybuzz.engine.change.run.all_modules", lambda: every)
        for name, host in made.hosts.items():
            (host.files / "engine").write_text("old\n")
            (host.files / "app.conf").write_text("new\n" if name == THIRD else "old\n")
        yield made


def patient(live: Live) -> Stage | None:
    """A roll whose stages may wait for those of a later module."""
    stage = one_by_one(live)
    return replace(stage, joins=True) if stage else None


def stages(three: Fleet) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(e.module, e.name, e.hosts) for e in three.heard.of(events.StageStarted)]


def test_each_host_is_interrupted_once_and_what_waits_for_no_step_goes_first(three: Fleet) -> None:
    report = three.run(engine(three, patient), cluster(three, one_by_one))
    assert (report.exit_code, outcomes(report)) == (ExitCode.GOOD, [Outcome.CHANGED] * 3)
    assert (texts(three), texts(three, "engine")) == (["new\n"] * 3, ["new\n"] * 3)
    assert stages(three) == [
        ("engine", f"bring {THIRD}", (THIRD,)),
        ("demo", f"bring {FIRST}, then bring {FIRST}", (FIRST,)),
        ("demo", f"bring {SECOND}, then bring {SECOND}", (SECOND,)),
    ]
    assert set(Counter(host for *_, hosts in stages(three) for host in hosts).values()) == {1}
    [first, _] = three.heard.of(events.Postponed)
    assert first.reason == f"bring {FIRST} comes with the step of demo there"


def test_what_waits_is_made_first_in_the_step(three: Fleet) -> None:
    three.run(engine(three, patient), cluster(three, one_by_one))
    done = [e.identity.rpartition("/")[2] for e in three.heard.of(events.StepEnded)]
    assert done == ["engine", "engine", "app.conf", "engine", "app.conf"]


def test_without_a_later_module_nothing_waits(three: Fleet) -> None:
    report = three.run(engine(three, patient))
    assert report.exit_code == ExitCode.GOOD
    assert [hosts for *_, hosts in stages(three)] == [(host,) for host in HOSTS]


def test_what_somebody_else_has_made_meanwhile_is_not_made_again(three: Fleet) -> None:
    def by_hand(event: events.Event) -> None:
        if isinstance(event, events.StageStarted) and event.module == "engine":
            (three.hosts[SECOND].files / "engine").write_text("new\n")

    ran = three.listening(by_hand)
    report = ran.run(engine(three, patient), cluster(three, one_by_one))
    assert report.exit_code == ExitCode.GOOD
    assert [e.identity for e in three.heard.of(events.StepEnded) if e.host == SECOND] == [
        f"file:{three.hosts[SECOND].files}/app.conf"
    ]


def test_nothing_waits_for_a_module_that_is_frozen(three: Fleet) -> None:
    policies = replace(three.site.policies, freeze=("patroni",))
    site = replace(three.site, policies=policies)
    frozen = replace(three, workspace=replace(three.workspace, site=site))
    free = replace(engine(three, patient), frozen_as="engine")
    report = frozen.run(free, cluster(three, one_by_one))
    assert (report.exit_code, report.error.count("frozen")) == (ExitCode.REFUSED, 1)
    assert (texts(three, "engine"), texts(three)) == (["new\n"] * 3, ["old\n", "old\n", "new\n"])


def test_nothing_waits_for_a_rollout_that_refuses(three: Fleet) -> None:
    def refuses(live: Live) -> Stage | None:
        raise RefusedError("the owner decides", where=FIRST)

    report = three.run(engine(three, patient), cluster(three, refuses))
    assert (report.exit_code, "the owner decides" in report.error) == (ExitCode.REFUSED, True)
    assert (texts(three, "engine"), texts(three)) == (["new\n"] * 3, ["old\n", "old\n", "new\n"])


def test_a_later_module_that_fails_leaves_the_restart_for_the_next_run(three: Fleet) -> None:
    def red(live: Live) -> Stage | None:
        raise ValueError(live.module)

    report = three.run(engine(three, patient), cluster(three, red))
    assert report.exit_code == ExitCode.FAILED
    assert f"still needed: bring {FIRST}, bring {SECOND}; kbz run engine --limit" in report.error
    assert texts(three, "engine") == ["old\n", "old\n", "new\n"]
    assert three.run(engine(three, patient)).exit_code == ExitCode.GOOD
    assert texts(three, "engine") == ["new\n"] * 3
