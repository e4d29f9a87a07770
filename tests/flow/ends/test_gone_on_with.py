"""A run of a saved plan that was cut off is gone on with: what is left of the plan, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from keybuzz.engine import events
from keybuzz.engine.change.run import RunRequest, run
from keybuzz.engine.change.saved_plan import load, save
from keybuzz.engine.look.survey import survey
from keybuzz.engine.memory.gone_on_with import is_part_done
from keybuzz.engine.memory.journal import HostRecord, Journal
from keybuzz.engine.memory.scope import Scope
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.reports.report import Report
from keybuzz.site.module import Module
from tests.flow.support.fleet import (
    COMMAND,
    FIRST,
    HOSTS,
    SECOND,
    Demo,
    Fleet,
    command,
    conf,
    fleet,
)


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path) as made:
        yield made


def apply(fleet: Fleet, module: Module, path: Path, since: int = 0) -> Report:
    saved = load(path)
    return run(fleet.workspace, RunRequest((module,), frozenset(HOSTS), saved=saved, since=since))


def saved(three: Fleet, module: Module, folder: Path) -> Path:
    """Save the plan of what the hosts need now."""
    found = survey(three.workspace, (module,), frozenset(HOSTS))
    path = folder / "plan.json"
    save(path, found.plan, ("demo",), frozenset(HOSTS))
    return path


@pytest.fixture
def cut(three: Fleet, tmp_path: Path) -> tuple[Path, int]:
    """A saved plan that was stopped after its first host, and the number of its run."""
    module = Demo(three.hosts).module()
    path = saved(three, module, tmp_path)

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


def edited_by_hand(three: Fleet) -> None:
    (three.hosts[SECOND].files / "app.conf").write_text("by hand\n")


def test_a_plan_that_was_refused_before_it_began_is_refused_again(
    three: Fleet, tmp_path: Path
) -> None:
    """However often it is gone on with: no part of it was ever done."""
    module = Demo(three.hosts).module()
    (three.hosts[SECOND].files / "app.conf").write_text("as planned for\n")
    path = saved(three, module, tmp_path)
    edited_by_hand(three)
    number = 0
    for _ in range(3):
        report = apply(three, module, path, number)
        assert report.exit_code == ExitCode.REFUSED
        assert "have moved since this plan was saved" in report.error
        number = report.number
    assert [three.text(host) for host in HOSTS] == [None, "by hand\n", None]


def test_a_plan_that_has_begun_is_gone_on_with_after_a_run_that_changed_nothing(
    three: Fleet, tmp_path: Path, cut: tuple[Path, int]
) -> None:
    path, number = cut
    with command(tmp_path, three.hosts, COMMAND) as again:
        module = Demo(again.hosts).module()
        again.workspace.stop.set()
        stopped = apply(again, module, path, number)
        assert stopped.exit_code == ExitCode.INTERRUPTED
        again.workspace.stop.clear()
        assert apply(again, module, path, stopped.number).exit_code == ExitCode.GOOD
    assert [three.text(host) for host in HOSTS] == ["new\n"] * 3


@pytest.mark.parametrize(
    ("outcome", "changes", "code", "part"),
    [
        (Outcome.SKIPPED, 0, ExitCode.REFUSED, False),
        (Outcome.UNREACHABLE, 0, ExitCode.UNREACHABLE, False),
        (Outcome.UNREACHABLE, 1, ExitCode.UNREACHABLE, True),
        (Outcome.UNKNOWN, 0, ExitCode.UNREACHABLE, True),
        (Outcome.FAILED, 0, ExitCode.FAILED, True),
        (None, 0, ExitCode.REFUSED, False),
        (None, 0, ExitCode.INTERRUPTED, True),
        (None, 0, None, True),
    ],
)
def test_what_says_that_a_part_is_done(
    tmp_path: Path, outcome: Outcome | None, changes: int, code: ExitCode | None, *, part: bool
) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    number = journal.begin("run", ("kbz run --plan P",), ("demo",), 1.0, tmp_path)
    hosts = {} if outcome is None else {FIRST: HostRecord(FIRST, outcome, changes, "")}
    if code is not None:
        journal.end(number, 2.0, int(code), hosts, "", "")
    assert is_part_done(journal, number) is part
    assert not is_part_done(journal, 0)
    assert not is_part_done(journal, number + 1)
