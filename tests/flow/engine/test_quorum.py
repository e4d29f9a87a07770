"""No run stops so many members of a cluster that the rest has no majority, whichever module it is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from keybuzz.engine import events
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.reading import DirectoryListing
from keybuzz.model.core.resource import Attributes
from keybuzz.model.host.files import File
from keybuzz.model.reports.report import Report
from keybuzz.site.module import Module
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
from tests.flow.support.links import AWAY, register

Rollout = Callable[[Live], Stage | None]


@dataclass(frozen=True, slots=True)
class Restarting(File):
    """A file whose change stops what runs on its host for a moment."""

    def disrupts(self, observed: Attributes) -> bool:
        return True


def up(live: Live) -> frozenset[str]:
    """A member is up unless its folder says that it is down."""
    return frozenset(
        host
        for host, view in live.hosts.items()
        if "down" not in view.answer("state").value["names"]
    )


def cluster(three: Fleet, next_stage: Rollout) -> Module:
    """A module with a quorum, whose own change restarts a member."""
    return Demo(
        three.hosts,
        lambda host: (Restarting(conf(host).path, conf(host).content),),
        next_stage,
        lambda host: (DirectoryListing("state", str(host.files)),),
        members_up=up,
    ).module()


def engine(three: Fleet, next_stage: Rollout) -> Module:
    """Another module on the same hosts: it knows nothing of the cluster, and restarts what carries it."""
    return Demo(
        three.hosts,
        lambda host: (Restarting(str(host.files / "engine"), conf(host).content),),
        next_stage,
        name="engine",
    ).module()


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    register()
    with fleet(tmp_path) as made:
        every = (engine(made, one_by_one), cluster(made, one_by_one))
        monkeypatch.setattr("keybuzz.engine.change.run.all_modules", lambda: every)
        for host in made.hosts.values():
            for name in ("app.conf", "engine"):
                (host.files / name).write_text("old\n")
        yield made


def texts(three: Fleet, name: str = "app.conf") -> list[str | None]:
    return [three.text(host, name) for host in HOSTS]


def outcomes(report: Report) -> list[Outcome]:
    return [report.hosts[host].outcome for host in HOSTS]


def test_a_stage_that_would_stop_two_of_three_is_refused(three: Fleet) -> None:
    report = three.run(cluster(three, all_at_once))
    assert report.exit_code == ExitCode.REFUSED
    assert "demo would keep 0 of 3 members; it needs 2" in report.error
    two = three.run(cluster(three, all_at_once), only=(FIRST, SECOND))
    assert "demo would keep 1 of 3 members; it needs 2" in two.error
    assert texts(three) == ["old\n"] * 3


def test_one_after_the_other_is_fine(three: Fleet) -> None:
    report = three.run(cluster(three, one_by_one))
    assert (report.exit_code, outcomes(report)) == (ExitCode.GOOD, [Outcome.CHANGED] * 3)


@pytest.mark.parametrize("module", [cluster, engine])
def test_the_second_of_three_is_not_stopped_while_the_first_is_away(
    three: Fleet, module: Callable[[Fleet, Rollout], Module]
) -> None:
    three.connect_by(AWAY, FIRST)
    report = three.run(module(three, one_by_one), only=(SECOND, THIRD))
    assert report.exit_code == ExitCode.REFUSED
    assert f"bring back {FIRST} first" in report.error
    assert (texts(three), texts(three, "engine")) == (["old\n"] * 3, ["old\n"] * 3)


def test_another_module_does_not_stop_it_either(three: Fleet) -> None:
    report = three.run(engine(three, all_at_once))
    assert report.exit_code == ExitCode.REFUSED
    assert "demo would keep 0 of 3 members; it needs 2" in report.error
    assert texts(three, "engine") == ["old\n"] * 3


@pytest.mark.parametrize("chain", [(engine,), (engine, cluster)])
def test_another_module_waits_until_the_cluster_is_as_before(
    three: Fleet, chain: tuple[Callable[[Fleet, Rollout], Module], ...]
) -> None:
    down: list[str] = []

    def restart(event: events.Event) -> None:
        """A member goes down with the engine, and comes back only after a while."""
        if isinstance(event, events.StepEnded) and event.identity.endswith("/engine"):
            assert not down, "the member before was still down"
            down.append(event.host)
            (three.hosts[event.host].files / "down").touch()
        if isinstance(event, events.GateWaiting):
            assert event.reason == f"{down[0]} not back in demo"
            (three.hosts[down.pop()].files / "down").unlink()

    modules = tuple(module(three, one_by_one) for module in chain)
    report = three.listening(restart).run(*modules)
    assert (report.exit_code, outcomes(report)) == (ExitCode.GOOD, [Outcome.CHANGED] * 3)
    assert texts(three, "engine") == ["new\n"] * 3
    assert [e.name for e in three.heard.of(events.GateHeld)][:3] == ["demo is as before"] * 3


def test_a_cluster_that_was_never_installed_holds_nobody_up(three: Fleet) -> None:
    for host in three.hosts.values():
        (host.files / "down").touch()
    assert three.run(engine(three, all_at_once)).exit_code == ExitCode.GOOD
    assert texts(three, "engine") == ["new\n"] * 3
