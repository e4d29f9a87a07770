"""The words about how carefully a verb goes over its hosts, and the question before it interrupts a service."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from keybuzz.cli import main
from keybuzz.cli.change import pacing
from keybuzz.engine.chains.side_by_side import side_by_side
from keybuzz.engine.change.conduct import one_after_other
from keybuzz.engine.change.run import RunRequest
from keybuzz.engine.look.observe import Snapshot
from keybuzz.engine.look.survey import Survey
from keybuzz.engine.pace.pace import Pace, Share, share
from keybuzz.engine.roll.restart import RestartRequest
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import StepError, StoppedError
from keybuzz.model.core.plan import Action, Change, Plan
from keybuzz.model.host.files import Absent
from keybuzz.model.reports.report import Report
from tests.unit.support.site_values import planted_configuration

USAGE = 64
Asked = list[RunRequest | RestartRequest]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """A site of its own, on which nothing is ever run: what was asked for is kept."""
    requests: Asked = []
    planted_configuration(tmp_path)
    monkeypatch.chdir(tmp_path)

    def keep(workspace: Workspace, request: RunRequest | RestartRequest) -> Report:
        request.pace.require(request.selected)
        requests.append(request)
        raise StepError("broken on purpose")

    monkeypatch.setattr("keybuzz.engine.roll.restart.restart", keep)
    monkeypatch.setattr("keybuzz.engine.change.run.run", keep)
    return requests


def at_terminal(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    """Let these words be typed at a terminal."""
    keyboard = io.StringIO(typed)
    keyboard.isatty = lambda: True  # type: ignore[method-assign]  # the one thing that a terminal says of itself
    monkeypatch.setattr(sys, "stdin", keyboard)


def survey(*, disrupts: bool) -> Survey:
    change = Change("redis-01", "redis", Absent("/x"), Action.UPDATE, disrupts=disrupts)
    plan = Plan({"redis-01": (change,)})
    return Survey((), frozenset({"redis-01"}), {}, Snapshot({}), plan, (), ())


def test_run_takes_all_of_them(asked: Asked) -> None:
    words = "run base --limit redis --batch 10% --canary redis-02 --pause 30 --max-fail 2"
    main._main(words.split())
    [request] = asked
    assert request.pace == Pace(Share(10, percent=True), "redis-02", 30.0, Share(2))


def test_run_takes_modules_one_after_the_other_unless_told_otherwise(asked: Asked) -> None:
    for words in ("run base --limit redis", "run base --limit redis --side-by-side --max-fail 2"):
        main._main(words.split())
    runs = [request for request in asked if isinstance(request, RunRequest)]
    assert [request.route for request in runs] == [one_after_other, side_by_side]
    assert runs[1].pace == Pace(max_fail=Share(2))


def test_restart_takes_one_member_at_a_time_anyway(
    asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    main._main(["restart", "redis", "--limit", "redis", "--canary", "redis-02", "--pause", "30"])
    [request] = asked
    assert request.pace == Pace(canary="redis-02", pause=30.0)
    assert main._main(["restart", "redis", "--batch", "2"]) == USAGE
    assert main._main(["restart", "redis", "--max-fail", "2"]) == USAGE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--batch 0", "--batch 0 would touch no host"),
        ("--batch 101%", "more than all hosts"),
        ("--batch -1", "neither a number of hosts nor a percentage"),
        ("--max-fail few", "neither a number of hosts nor a percentage"),
        ("--canary mon-01", "mon-01 is not among the hosts of this run"),
        ("--pause nan", "number of seconds"),
        ("--confirm", "asks at a terminal, and there is none"),
        ("--side-by-side --batch 2", "leave one of the two out"),
        ("--side-by-side --canary redis-02", "leave one of the two out"),
        ("--side-by-side --pause 3", "leave one of the two out"),
    ],
)
def test_what_means_nothing_is_refused(
    asked: Asked, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    assert main._main(["run", "base", "--limit", "redis", *words.split()]) == USAGE
    assert said in " ".join(capsys.readouterr().err.split())
    assert asked == []


@pytest.mark.parametrize(
    ("text", "hosts", "meant"), [("3", 48, 3), ("10%", 48, 4), ("1%", 48, 0), ("100%", 7, 7)]
)
def test_a_share_of_hosts(text: str, hosts: int, meant: int) -> None:
    found = share(text)
    assert (str(found), found.of(hosts)) == (text, meant)
    assert Pace(found).size(hosts) == max(1, meant)


@pytest.mark.parametrize("typed", ["n\n", "\n", "perhaps\n"])
def test_a_run_that_interrupts_a_service_shows_its_plan_and_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    at_terminal(monkeypatch, typed)
    with pytest.raises(StoppedError, match="nothing was changed"):
        pacing.consent(survey(disrupts=True))
    said = capsys.readouterr().err
    assert "interrupts a running service" in said
    assert "This interrupts running services on redis-01; go on?" in said


def test_a_yes_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    at_terminal(monkeypatch, "y\n")
    assert pacing.consent(survey(disrupts=True))


def test_nothing_is_asked_for_what_interrupts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    at_terminal(monkeypatch, "")
    assert not pacing.consent(survey(disrupts=False))


def test_nothing_is_asked_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert not pacing.consent(survey(disrupts=True))


def test_yes_asks_nothing(asked: Asked) -> None:
    main._main(["run", "base", "--limit", "redis", "--yes"])
    main._main(["run", "base", "--limit", "redis"])
    first, second = asked
    assert isinstance(first, RunRequest)
    assert isinstance(second, RunRequest)
    assert first.consent is pacing.no_question
    assert second.consent is pacing.consent
