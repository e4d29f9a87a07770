"""A run of a saved plan that was cut off is gone on with: what is left of the plan, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from keybuzz.engine import events
from keybuzz.engine.change.run import RunRequest, run
from keybuzz.engine.change.saved_plan import load, save
from keybuzz.engine.look.survey import survey
from keybuzz.engine.memory.scope import Scope
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.reports.report import Report
from keybuzz.site.module import Module
from tests.flow.support.fleet import COMMAND, FIRST, HOSTS, Demo, Fleet, command, conf, fleet


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path) as made:
        yield made


def apply(fleet: Fleet, module: Module, path: Path, since: int = 0) -> Report:
    saved = load(path)
    return run(fleet.workspace, RunRequest((module,), frozenset(HOSTS), saved=saved, since=since))


@pytest.fixture
def cut(three: Fleet, tmp_path: Path) -> tuple[Path, int]:
    """A saved plan that was stopped after its first host, and the number of its run."""
    module = Demo(three.hosts).module()
    found = survey(three.workspace, (module,), frozenset(HOSTS))
    path = tmp_path / "plan.json"
    save(path, found.plan, ("demo",), frozenset(HOSTS))

    def act(event: events.Event) -> None:
        if isinstance(event, events.StageEnded):
            three.workspace.stop.set()

    report = apply(three.listening(act), module, path)
    assert report.exit_code == ExitCode.INTERRUPTED
    assert [three.text(host) for host in HOSTS] == ["new\n", None, None]
    return path, report.number


def test_what_is_left_of_the_plan_is_applied(
    three: Fleet, tmp_path: Path, cut: tuple[Path, int]
) -> None:
    path, number = cut
    scope = Scope(frozenset(HOSTS), str(path), load(path).digest)
    assert three.workspace.journal.scope(number) == scope
    with command(tmp_path, three.hosts, COMMAND) as again:
        module = Demo(again.hosts).module()
        assert apply(again, module, path).exit_code == ExitCode.REFUSED
        assert [three.text(host) for host in HOSTS] == ["new\n", None, None]
        assert apply(again, module, path, number).exit_code == ExitCode.GOOD
    assert [three.text(host) for host in HOSTS] == ["new\n"] * 3


def test_what_was_edited_since_is_refused(
    three: Fleet, tmp_path: Path, cut: tuple[Path, int]
) -> None:
    path, number = cut
    with command(tmp_path, three.hosts, COMMAND) as again:
        edited = Demo(again.hosts, lambda host: (conf(host, "edited\n"),)).module()
        report = apply(again, edited, path, number)
    assert report.exit_code == ExitCode.REFUSED
    assert f"on {FIRST} needs what this plan does not say" in report.error
    assert [three.text(host) for host in HOSTS] == ["new\n", None, None]
