"""A signal at every event of a run: it ends as Ctrl-C does, is reported and remembered, and can be gone on with."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keybuzz.cli.support.endings import first_one_stops
from keybuzz.engine import events
from keybuzz.engine.memory.lock import leases
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.reports.report import Report
from tests.flow.support.fleet import COMMAND, HOSTS, Demo, Fleet, command, fleet
from tests.support.signals import to_main

HOOK = """#!/bin/sh
cat >> {told}
echo >> {told}
"""


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    folder = tmp_path / "hooks" / "after.d"
    folder.mkdir(parents=True, mode=0o700)
    hook = folder / "tell"
    hook.write_text(HOOK.format(told=tmp_path / "told.json"))
    hook.chmod(0o700)
    with fleet(tmp_path) as made:
        yield made


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in ending}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def stopped(three: Fleet, act: Callable[[events.Event], object]) -> Report:
    with first_one_stops(three.workspace.stop, lambda sentence: None):
        return three.listening(act).run(Demo(three.hosts).module())


def assert_whole_end(three: Fleet, folder: Path, report: Report) -> None:
    """The report names every host, the journal and the hooks have it, and nothing is held."""
    assert set(report.hosts) == set(HOSTS)
    record = three.workspace.journal.run(report.number)
    assert record is not None
    assert (record.exit_code, record.ended is not None) == (report.exit_code, True)
    remembered = {item.host: item.outcome for item in three.workspace.journal.hosts(report.number)}
    assert remembered == {host: item.outcome for host, item in report.hosts.items()}
    (told,) = (folder / "told.json").read_text().splitlines()
    assert json.loads(told)["exit_code"] == report.exit_code
    with leases(three.site.settings.state / "leases", ("patroni",), "test"):
        pass


@pytest.mark.parametrize("place", range(0, 12, 2))
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["TERM", "HUP"])
def test_a_signal_lets_the_steps_at_work_end(
    three: Fleet, tmp_path: Path, number: int, place: int
) -> None:
    def act(event: events.Event) -> None:
        del event
        if len(three.heard.events) == place + 1:
            to_main(number)

    report = stopped(three, act)
    assert report.exit_code in (ExitCode.GOOD, ExitCode.INTERRUPTED)
    assert_whole_end(three, tmp_path, report)
    for host, item in report.hosts.items():
        assert item.outcome in (Outcome.CHANGED, Outcome.SKIPPED, Outcome.OK)
        assert (three.text(host) == "new\n") == (item.outcome is Outcome.CHANGED)
    with command(tmp_path, three.hosts, COMMAND) as again:
        assert again.run(Demo(three.hosts).module()).exit_code == ExitCode.GOOD
    assert [three.text(host) for host in HOSTS] == ["new\n"] * 3


def test_a_second_one_cuts_the_steps_at_work_and_the_run_is_reported_all_the_same(
    three: Fleet, tmp_path: Path
) -> None:
    cut = threading.Event()

    def act(event: events.Event) -> None:
        if isinstance(event, events.StepStarted) and not cut.is_set():
            cut.set()
            to_main(signal.SIGTERM)
            to_main(signal.SIGINT)

    report = stopped(three, act)
    assert report.exit_code == ExitCode.INTERRUPTED
    assert_whole_end(three, tmp_path, report)
    assert "cut off" in report.error
    first = report.hosts[HOSTS[0]]
    assert (first.outcome, "may have taken effect" in first.what) == (Outcome.UNKNOWN, True)
    with command(tmp_path, three.hosts, COMMAND) as again:
        assert again.run(Demo(three.hosts).module()).exit_code == ExitCode.GOOD
