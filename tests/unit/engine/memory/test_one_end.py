"""Signals at every moment of a command: it ends once in the journal, and what is known of it is not rewritten."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from keybuzz.agent.runtime.children import run as run_child
from keybuzz.cli.support.endings import first_one_stops
from keybuzz.engine.change.ends import ended_by
from keybuzz.engine.cuts import ENDING, Cuts, Stop
from keybuzz.engine.memory.deeds import in_history
from keybuzz.engine.memory.journal import HostRecord, Journal, RunRecord
from keybuzz.engine.memory.outcomes import in_journal, remember
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import KbzError, StepError, StoppedError
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.plan import Plan
from keybuzz.model.reports.report import HostReport, Report
from tests.support.signals import to_main
from tests.unit.support.site_values import memory_site

ROOT = Path(__file__).parents[4]
TRACED = ("engine/memory/outcomes.py", "engine/memory/deeds.py", "engine/change/ends.py")
HUNG = "(cat; echo) >> told; kill -INT $PPID; kill -TERM $PPID; exec sleep 600"


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.signal(number, signal.default_int_handler) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    site = replace(memory_site(), root=tmp_path)
    journal = Journal(tmp_path / "state" / "journal.sqlite")
    return Workspace(site, None, journal, lambda event: None, "kbz run redis")  # type: ignore[arg-type]  # asks no host


def hook(work: Workspace, moment: str, name: str, script: str) -> None:
    path = work.site.root / "hooks" / f"{moment}.d" / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)


def told(work: Workspace) -> list[dict[str, Any]]:
    text = (work.site.root / "told").read_text()
    return [json.loads(line) for line in text.splitlines() if line]


def report(error: KbzError | None = None) -> Report:
    hosts = {"redis-01": HostReport("redis-01", Outcome.CHANGED, 1)}
    made = Report("run", ("redis",), hosts, Plan({}), (), (), 1.0)
    return made if error is None else replace(made, error=str(error), error_code=error.code)


def hit(number: int = signal.SIGINT) -> None:
    to_main(number)


def newest(work: Workspace) -> RunRecord:
    return work.journal.runs(1)[0]


def test_two_signals_while_a_hook_is_told_leave_a_good_run_good(work: Workspace) -> None:
    hook(work, "after", "10-hang", HUNG)
    hook(work, "after", "20-next", "touch called")
    hook(work, "after", "30-next", "touch called")
    with first_one_stops(work.stop, lambda sentence: None), in_journal(work, "run", ()) as number:
        done = remember(work, number, report())
    warning = "the hook 10-hang was cut off by a signal; 2 more were not called"
    assert (done.exit_code, done.warnings) == (ExitCode.GOOD, (warning,))
    assert (newest(work).exit_code, newest(work).note) == (ExitCode.GOOD, warning)
    assert [item.host for item in work.journal.hosts(number)] == ["redis-01"]
    assert [item["exit_code"] for item in told(work)] == [ExitCode.GOOD]
    assert not (work.site.root / "called").exists()


def test_two_signals_while_a_hook_before_is_asked_end_the_run(work: Workspace) -> None:
    hook(work, "before", "10-hang", HUNG)
    hook(work, "after", "10-tell", "(cat; echo) >> told")
    with (
        pytest.raises(KeyboardInterrupt),
        first_one_stops(work.stop, lambda sentence: None),
        in_journal(work, "run", ()),
    ):
        pytest.fail("the run began")
    assert newest(work).exit_code == ExitCode.INTERRUPTED
    assert [(item["moment"], item.get("exit_code")) for item in told(work)] == [
        ("before", None),
        ("after", ExitCode.INTERRUPTED),
    ]


@pytest.mark.parametrize("second", ENDING)
@pytest.mark.parametrize("verb", ["run", "drift"])
def test_another_signal_while_the_end_is_written_loses_nothing(
    work: Workspace, verb: str, second: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Journal.end

    def end(self: Journal, *words: Any) -> None:
        hit(second)
        plain(self, *words)
        hit(second)

    monkeypatch.setattr(Journal, "end", end)
    with pytest.raises(KeyboardInterrupt), in_journal(work, verb, ()):
        hit()
    assert newest(work).exit_code == ExitCode.INTERRUPTED
    with in_journal(work, verb, ()) as number:
        done = remember(work, number, report())
    assert (done.exit_code, newest(work).exit_code) == (ExitCode.GOOD, ExitCode.GOOD)


@pytest.mark.parametrize("second", ENDING)
def test_two_signals_leave_no_command_without_an_end(
    tmp_path: Path, second: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal that is closed sends HUP twice: from the kernel, and from the shell."""
    path = tmp_path / "journal.sqlite"
    plain = Journal.end

    def end(self: Journal, *words: Any) -> None:
        hit(second)
        plain(self, *words)

    monkeypatch.setattr(Journal, "end", end)

    def close() -> None:
        with in_history(path, "exec", "kbz exec", tmp_path) as deed:
            deed.hosts["redis-01"] = HostRecord("redis-01", Outcome.UNKNOWN, 0, "")
            try:
                hit(second)
            finally:
                hit(second)  # while it lets go of what it holds

    with pytest.raises(KeyboardInterrupt):
        close()
    journal = Journal(path)
    [record] = journal.runs()
    assert (record.exit_code, record.ended is not None) == (ExitCode.INTERRUPTED, True)
    assert [item.host for item in journal.hosts(record.number)] == ["redis-01"]


class AtLine:
    """Sends a signal before the given one of the traced lines runs."""

    def __init__(self, place: int) -> None:
        self.left = place
        self.sent = False

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.endswith(TRACED):
            return None
        if event == "line" and not self.sent:
            self.left -= 1
            if self.left < 0:
                self.sent = True
                hit()
        return self


def at_every_line(act: Callable[[], object]) -> Iterator[None]:
    """Do something once for each line of the traced files, with a signal there."""
    for place in range(10_000):
        tracer = AtLine(place)
        before = sys.gettrace()
        sys.settrace(tracer)
        try:
            with suppress(KeyboardInterrupt):
                act()
        finally:
            sys.settrace(before)
        if not tracer.sent:
            assert place > 10, "the traced lines were not met"
            return
        yield


def broken() -> None:
    raise StepError("broken on purpose")


@pytest.mark.parametrize("act", [lambda: None, broken], ids=["good", "broken"])
def test_a_signal_at_every_line_of_a_run(work: Workspace, act: Callable[[], object]) -> None:
    hook(work, "after", "10-tell", "(cat; echo) >> told")
    shown: list[Report] = []

    def change() -> None:
        with in_journal(work, "run", ()) as number:
            error = ended_by(work.site, work.cuts, act, "kbz resume")
            shown.append(remember(work, number, report(error)))

    (work.site.root / "told").write_text("")
    before = 0
    for _ in at_every_line(change):
        for record in work.journal.runs(1):
            if record.number == before:
                continue  # the signal came before the run began
            before = record.number
            assert record.ended is not None
            ends = [item["exit_code"] for item in told(work) if item["run"] == record.number]
            assert ends in ([record.exit_code], [])
            if shown:
                assert shown[-1].number == record.number
                assert shown[-1].exit_code == record.exit_code
            else:
                assert record.exit_code == ExitCode.INTERRUPTED
        shown.clear()


def test_a_signal_at_every_line_of_a_command(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"

    def command() -> None:
        with in_history(path, "exec", "kbz exec", tmp_path):
            pass

    for _ in at_every_line(command):
        for record in Journal(path).runs(1):
            assert record.ended is not None


def test_what_ended_a_part_is_told_though_a_signal_comes_after_it(work: Workspace) -> None:
    def breaks() -> None:
        try:
            raise StepError("broken on purpose")
        finally:
            work.cuts.forbid()
            hit()

    with in_journal(work, "run", ()) as number:
        error = ended_by(work.site, work.cuts, breaks, "kbz resume")
        assert isinstance(error, StepError)
        with pytest.raises(KeyboardInterrupt):
            work.cuts.allow()
        assert isinstance(ended_by(work.site, work.cuts, hit, "kbz resume"), StoppedError)
        remember(work, number, report())


def test_a_fault_after_the_report_does_not_rewrite_it(work: Workspace) -> None:
    hook(work, "after", "10-tell", "(cat; echo) >> told")

    def reported() -> None:
        with in_journal(work, "run", ()) as number:
            remember(work, number, report())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        reported()
    assert (newest(work).exit_code, newest(work).note) == (ExitCode.GOOD, "")
    assert [item["exit_code"] for item in told(work)] == [ExitCode.GOOD]


class InEvent:
    """Sends a signal before the given one of the lines of threading's events and conditions runs."""

    def __init__(self, place: int) -> None:
        self.left = place
        self.sent = False

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename != threading.__file__:
            return None
        if event == "line" and not self.sent:
            self.left -= 1
            if self.left < 0:
                self.sent = True
                hit()
        return self


@pytest.fixture
def alarm() -> Iterator[None]:
    """Let a test that waits for ever fail."""

    def late(number: int, frame: object) -> None:
        raise AssertionError("it waits for its own thread")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("act", ["set", "wait"])
def test_a_signal_may_ask_to_stop_while_its_own_thread_holds_the_event(act: str) -> None:
    """Also while a handler sets it. With a plain event this does not end."""
    for place in range(1000):
        stop = Stop()
        tracer = InEvent(place)
        before = sys.gettrace()
        with first_one_stops(stop, lambda sentence: None):
            sys.settrace(tracer)
            try:
                stop.set() if act == "set" else stop.wait(0.01)
            finally:
                sys.settrace(before)
        if not tracer.sent:
            assert place > 5
            return
        assert stop.is_set()
    pytest.fail("the lines have no end")


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    cuts = Cuts()
    with cuts.during():
        cuts.allow()
        hit(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        with pytest.raises(KeyboardInterrupt):
            hit(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler


def test_a_signal_that_another_thread_gets_is_noticed_while_a_program_hangs() -> None:
    """The kernel gives it to another thread while the first has one to handle: that ends no poll of the first."""

    def get() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    started = time.monotonic()
    other = threading.Timer(0.1, get)
    other.start()
    with pytest.raises(KeyboardInterrupt):
        run_child(["sleep", "600"], timeout=120.0)
    assert time.monotonic() - started < 60
    other.join()
