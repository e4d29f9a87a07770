"""Interrupted between the parts of a change: what was done on the hosts is reported and remembered all the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from keybuzz.cli.support.endings import first_one_stops
from keybuzz.engine import events
from keybuzz.engine.change import recover as recovering
from keybuzz.engine.change import rotate as rotating
from keybuzz.engine.change.execute import execute_everywhere
from keybuzz.engine.change.recover import Operator, recover
from keybuzz.engine.change.rotate import RotateWords, rotate
from keybuzz.engine.change.run import RunRequest
from keybuzz.model.core.errors import KbzError, StepError, StoppedError
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.site.module import Module, Recovery
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, Demo, Fleet, all_at_once, fleet
from tests.support.signals import to_main

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path) as made:
        yield made


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.signal(number, signal.default_int_handler) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def cut() -> None:
    """Send what a second Ctrl-C sends: the first one has asked to stop."""
    to_main(signal.SIGINT)
    to_main(signal.SIGINT)


def assert_remembered(three: Fleet, verb: str, code: ExitCode) -> None:
    """Every host was changed, and the journal says so."""
    [record] = three.workspace.journal.runs()
    assert (record.verb, record.exit_code) == (verb, code)
    found = {item.host: item.outcome for item in three.workspace.journal.hosts(record.number)}
    assert found == dict.fromkeys(HOSTS, Outcome.CHANGED)
    assert [three.text(host) for host in HOSTS] == ["new\n"] * 3


def recovery(three: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the demo a cluster that can be recovered: to halt it, its files are written."""
    nothing: Any = None
    found = Recovery(
        lambda site: "demo",
        all_at_once,
        nothing,
        nothing,
        lambda positions, source: FIRST,
        nothing,
    )
    module = replace(Demo(three.hosts).module(), recovery=found)
    monkeypatch.setattr(recovering, "_choose", lambda name: (module, found))
    monkeypatch.setattr(recovering, "_positions", lambda *words: ())


def typo() -> str:
    return "typo"


def interrupted() -> str:
    cut()
    return ""


@pytest.mark.parametrize(
    ("ask", "code"), [(typo, ExitCode.REFUSED), (interrupted, ExitCode.INTERRUPTED)]
)
def test_what_a_recovery_stopped_is_remembered_when_it_does_not_go_on(
    three: Fleet, monkeypatch: pytest.MonkeyPatch, ask: Callable[[], str], code: ExitCode
) -> None:
    recovery(three, monkeypatch)
    operator = Operator(lambda found, host: None, lambda cluster, host: ask())
    with (
        first_one_stops(three.workspace.stop, lambda sentence: None),
        pytest.raises(KbzError) as caught,
    ):
        recover(three.workspace, "demo", operator, 0.0, 60.0)
    assert caught.value.code == code
    assert_remembered(three, "recover", code)


def job(three: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the demo a rotation whose value is begun with, and is another one than the store's."""
    module: Module = Demo(three.hosts).module()
    request = RunRequest((module,), frozenset(HOSTS))
    found = SimpleNamespace(
        request=request,
        module=module,
        rotation=SimpleNamespace(service="demo", keeps_old=False),
        item=SimpleNamespace(name="REDIS_PASSWORD", consumers=()),
        keep_old=False,
    )
    monkeypatch.setattr(rotating, "_job", lambda workspace, words: found)
    monkeypatch.setattr(rotating, "pending", lambda store, item: "new")
    monkeypatch.setattr(rotating, "begin", lambda store, item: "new")
    monkeypatch.setattr(rotating, "with_secret", lambda workspace, secret: workspace)
    site = replace(three.site, credentials={"REDIS_PASSWORD": "old"})  # type: ignore[dict-item]  # only compared
    object.__setattr__(three.workspace, "site", site)


def refuses() -> None:
    raise StepError("the new value is not accepted")


def stopped() -> None:
    raise StoppedError("stopped on request")


@pytest.mark.parametrize(
    ("proof", "code"),
    [
        (refuses, ExitCode.FAILED),
        (stopped, ExitCode.INTERRUPTED),
        (cut, ExitCode.INTERRUPTED),
    ],
)
def test_what_a_rotation_changed_is_remembered_when_its_proof_ends_badly(
    three: Fleet,
    monkeypatch: pytest.MonkeyPatch,
    proof: Callable[[], None],
    code: ExitCode,
) -> None:
    job(three, monkeypatch)
    switched: list[object] = []
    monkeypatch.setattr(rotating, "prove", lambda *words: proof())
    monkeypatch.setattr(rotating, "switch", lambda *words: switched.append(words))
    with first_one_stops(three.workspace.stop, lambda sentence: None):
        report = rotate(three.workspace, RotateWords("demo", 0.0, 60.0))
    assert (report.verb, report.exit_code, switched) == ("rotate", code, [])
    assert "the store still holds the old value; kbz secrets rotate demo" in report.error
    assert_remembered(three, "rotate", code)


def test_a_rotation_that_was_asked_to_stop_proves_nothing_more(
    three: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(three, monkeypatch)
    monkeypatch.setattr(rotating, "prove", lambda *words: pytest.fail("it went on"))

    def act(event: events.Event) -> None:
        if isinstance(event, events.Judged):
            to_main(signal.SIGINT)

    with first_one_stops(three.workspace.stop, lambda sentence: None):
        report = rotate(three.listening(act).workspace, RotateWords("demo", 0.0, 60.0))
    assert report.exit_code == ExitCode.INTERRUPTED
    assert_remembered(three, "rotate", ExitCode.INTERRUPTED)


def test_a_command_that_is_cut_off_keeps_what_became_of_each_host(
    three: Fleet, tmp_path: Path
) -> None:
    """It has ended on one, is at work on the next, and has not begun on the last."""
    runner = three.nornir.runner
    assert hasattr(runner, "num_workers")
    runner.num_workers = 1
    ended = tmp_path / "ended"
    script = f"test -e {ended} && kill -INT {os.getpid()} && exec sleep 600; touch {ended}"
    with pytest.raises(KeyboardInterrupt):
        execute_everywhere(three.workspace, ("db",), (script,), 60.0)
    [record] = three.workspace.journal.runs()
    assert (record.verb, record.exit_code) == ("exec", ExitCode.INTERRUPTED)
    found = {item.host: item for item in three.workspace.journal.hosts(record.number)}
    assert {host: item.outcome for host, item in found.items()} == {
        FIRST: Outcome.OK,
        SECOND: Outcome.UNKNOWN,
        HOSTS[2]: Outcome.SKIPPED,
    }
    assert "may have taken effect" in found[SECOND].what
    assert three.workspace.journal.find(5, host=SECOND) == (record,)
