"""A plan that an operator agreed to at the terminal: the hosts are read again, and another plan is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.change.run import RunRequest, run
from keybuzz.engine.look.survey import Survey
from keybuzz.model.core.errors import StoppedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.reports.report import Report
from tests.flow.support.fleet import FIRST, HOSTS, THIRD, Demo, Fleet, fleet, one_by_one
from tests.flow.support.links import register


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    """Three hosts without the module's file."""
    register()
    with fleet(tmp_path) as made:
        yield made


def agreed(
    three: Fleet,
    meanwhile: Callable[[], object],
    demo: Demo | None = None,
    selected: tuple[str, ...] = HOSTS,
) -> Report:
    """Run with a question that is answered with yes when something has happened."""

    def consent(found: Survey) -> bool:
        meanwhile()
        return True

    request = RunRequest(((demo or Demo(three.hosts)).module(),), frozenset(selected), 0.0, 60.0)
    return run(three.workspace, replace(request, consent=consent))


def test_the_plan_is_carried_out_where_nothing_has_changed(three: Fleet) -> None:
    assert agreed(three, lambda: None).exit_code == ExitCode.GOOD
    assert [three.text(host) for host in HOSTS] == ["new\n"] * 3


def test_a_no_changes_nothing_and_is_in_the_journal(three: Fleet) -> None:
    def no() -> None:
        raise StoppedError("nothing was changed")

    assert agreed(three, no).exit_code == ExitCode.INTERRUPTED
    assert [three.text(host) for host in HOSTS] == [None] * 3
    [record] = three.workspace.journal.runs()
    assert (record.verb, record.exit_code) == ("run", ExitCode.INTERRUPTED)
    assert "nothing was changed" in record.note


def test_another_plan_is_refused_before_any_host_is_changed(three: Fleet) -> None:
    edited = three.hosts[FIRST].files / "app.conf"
    report = agreed(three, lambda: edited.write_text("by hand\n"))
    assert report.exit_code == ExitCode.REFUSED
    assert "the hosts have changed since this plan was shown" in report.error
    assert [three.text(host) for host in HOSTS] == ["by hand\n", None, None]


def test_the_first_stage_is_chosen_from_what_is_there_after_the_answer(three: Fleet) -> None:
    """What is in no plan may have changed too, as whether a member that is not selected is up."""
    other = three.hosts[THIRD].files / "app.conf"
    seen: list[bool] = []

    def next_stage(live: Live) -> Stage | None:
        seen.append(live.hosts[THIRD].present(f"file:{other}"))
        return one_by_one(live)

    demo = Demo(three.hosts, next_stage=next_stage, members_up=lambda live: frozenset(live.hosts))
    report = agreed(three, lambda: other.write_text("there\n"), demo, (FIRST,))
    assert report.exit_code == ExitCode.GOOD
    assert set(seen) == {True}
