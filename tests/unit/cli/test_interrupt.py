"""Ctrl-C: verbs that only look end at once; those that change hosts let the steps at work end first."""

from __future__ import annotations

import ctypes
import io
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from keybuzz.cli import main
from keybuzz.cli.support import context
from keybuzz.cli.support.endings import first_one_stops
from keybuzz.cli.support.typed_name import ask_typed
from keybuzz.engine import events
from keybuzz.engine.memory.lock import leases
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import StoppedError
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.plan import Plan
from keybuzz.model.reports.report import HostReport, Report
from tests.support.signals import to_main
from tests.unit.support.site_values import planted_configuration

ROOT = Path(__file__).parents[3]
_OPENED = 0x20
"""IN_OPEN, of inotify."""
LEFT = f"""
import sys, time
from concurrent.futures import ThreadPoolExecutor
sys.path.insert(0, {str(ROOT)!r})
from keybuzz.cli import main

def cut_off(arguments):
    pool = ThreadPoolExecutor(1, thread_name_prefix=main.MODULE_THREAD)
    pool.submit(time.sleep, 600)
    pool.shutdown(wait=False)
    return 4

main._main = cut_off
main.main()
"""
"""A command that ends while a module that was cut off is still at work in its thread."""
CODE = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from keybuzz.cli.main import main; main()"
GENTLE = {
    "run": (("run", "patroni", "--limit", "db"), "keybuzz.engine.change.run.run"),
    "rotate": (
        ("secrets", "rotate", "postgres-app", "--confirm", "postgres-app"),
        "keybuzz.engine.change.rotate.rotate",
    ),
}
CHANGING = {
    **GENTLE,
    "drill": (("drill", "patroni", "--confirm", "patroni"), "keybuzz.engine.drill.drill.drill"),
}
LOOKING = {
    "plan": (("plan", "patroni"), "keybuzz.engine.verbs.planned"),
    "drift": (("drift", "patroni"), "keybuzz.engine.drift.drift.drift"),
    "exec": (("exec", "--limit", "db", "true"), "keybuzz.engine.change.execute.execute_everywhere"),
    "stray": (
        ("secrets", "stray", "--limit", "db"),
        "keybuzz.engine.drift.secret_copies.find_copies",
    ),
}


class Reached(Exception):  # noqa: N818  # no error: the verb went on after the signal
    """The verb was still at work after the first Ctrl-C."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    planted_configuration(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def interrupted(workspace: Workspace, *_: object) -> None:
    """Stand for the engine; get one Ctrl-C."""
    to_main(signal.SIGINT)
    raise Reached(str(workspace.stop.is_set()))


@pytest.mark.parametrize("verb", LOOKING)
def test_a_verb_that_looks_ends_at_the_first(
    folder: Path, verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words, engine = LOOKING[verb]
    monkeypatch.setattr(engine, interrupted)
    assert main._main(list(words)) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err.endswith("interrupted\n")


@pytest.mark.parametrize("verb", GENTLE)
def test_a_verb_that_changes_hosts_is_asked_to_stop(
    folder: Path, verb: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words, engine = GENTLE[verb]
    monkeypatch.setattr(engine, interrupted)
    assert main._main(list(words)) == ExitCode.FAILED
    said = capfd.readouterr().err
    assert "stopping after the steps at work; Ctrl-C again cuts them off" in said
    assert "Reached: True" in said


class Interrupting(io.RawIOBase):
    """A stderr whose writer gets one signal while it writes, that is, while it holds the lock of the buffer."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.numbers = [number]

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        written = memoryview(data).nbytes  # type: ignore[arg-type]  # what a buffer writes
        if self.numbers:
            to_main(self.numbers.pop())
        return written


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("verb", CHANGING)
def test_a_signal_while_a_line_is_written_is_a_request_to_stop(
    folder: Path,
    verb: str,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words, engine = CHANGING[verb]
    seen: list[bool] = []

    def tells(workspace: Workspace, *_: object) -> None:
        workspace.listen(events.Drilled("gate"))
        seen.append(workspace.stop.is_set())
        raise StoppedError("stopped on request")

    monkeypatch.setattr(engine, tells)
    stderr = io.TextIOWrapper(io.BufferedWriter(Interrupting(number)), line_buffering=True)
    monkeypatch.setattr(sys, "stderr", stderr)
    assert main._main(list(words)) == ExitCode.INTERRUPTED
    assert seen == [True]
    assert "stopping" in capfd.readouterr().err


@pytest.mark.parametrize("verb", [*CHANGING, *LOOKING])
def test_a_signal_that_is_ignored_from_the_start_stops_no_verb(
    folder: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`nohup kbz drill …` outlives its terminal."""
    words, engine = {**CHANGING, **LOOKING}[verb]
    seen: list[bool] = []

    def hung_up(workspace: Workspace, *_: object) -> None:
        to_main(signal.SIGHUP)
        seen.append(workspace.stop.is_set())
        raise StoppedError("stopped by the test")

    monkeypatch.setattr(engine, hung_up)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main._main(list(words)) == ExitCode.INTERRUPTED
    finally:
        signal.signal(signal.SIGHUP, before)
    assert seen == [False]


def test_a_signal_while_connections_are_closed_keeps_no_report_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    hosts = {"db-master-01": HostReport("db-master-01", Outcome.CHANGED, 1)}
    report = Report("run", ("patroni",), hosts, Plan({}), (), (), 1.0)
    monkeypatch.setattr("keybuzz.engine.change.run.run", lambda *words: report)
    monkeypatch.setattr(context, "_close", lambda made: to_main(signal.SIGINT))
    assert main._main(["run", "patroni", "--limit", "db"]) == ExitCode.GOOD
    assert "1 change made" in capfd.readouterr().out


@pytest.mark.parametrize("ends", [KeyboardInterrupt, click.Abort, None])
def test_one_signal_at_a_question_ends_the_verb(
    ends: type[BaseException] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked while no step is at work: nothing is waited for. The end of the input is the same."""

    def prompt(*words: object, **named: object) -> str:
        if ends is not None:
            raise ends
        to_main(signal.SIGINT)
        return "typed"

    monkeypatch.setattr("click.prompt", prompt)
    with first_one_stops(threading.Event()), pytest.raises(KeyboardInterrupt):
        ask_typed("Type its name")


def test_questions_are_asked_in_one_way() -> None:
    for path in (ROOT / "keybuzz").rglob("*.py"):
        if path.name != "typed_name.py":
            assert "click.prompt" not in path.read_text(), path
            assert "click.confirm" not in path.read_text(), path


def test_the_first_ends_the_wait_for_a_lease(folder: Path) -> None:
    state = folder / "state"
    command = [sys.executable, "-c", CODE, "run", "patroni", "--limit", "db", "--wait", "600"]
    with (
        leases(state / "leases", ("patroni",), "kbz run other"),
        opening(state / "leases" / "patroni.lease") as opened,
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run,
    ):
        try:
            opened()  # its handler stands since before that
            run.send_signal(signal.SIGINT)
            _, said = run.communicate(timeout=20)
        finally:
            run.kill()
    assert run.returncode == ExitCode.INTERRUPTED
    assert "while it waited for the lease on patroni; nothing was changed" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["credentials/redis.env", "overlay.yaml"])
def test_a_run_that_waited_does_not_work_with_what_was_changed_meanwhile(
    folder: Path, name: str
) -> None:
    """Such as a password that the lease's holder rotated."""
    state, file = folder / "state", folder / name
    command = [sys.executable, "-c", CODE, "run", "redis", "--limit", "redis", "--wait", "600"]
    with (
        leases(state / "leases", ("redis",), "kbz secrets rotate redis"),
        opening(state / "leases" / "redis.lease") as opened,
    ):
        run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            opened()
            file.write_text(file.read_text() + "\n")
        except BaseException:
            run.kill()
            raise
    with run:
        _, said = run.communicate(timeout=60)
    assert run.returncode == ExitCode.REFUSED, said
    assert f"{file}: the site changed after this command had read it" in said
    assert "run it again" in said


@contextmanager
def opening(path: Path) -> Iterator[Callable[[], None]]:
    """Yield what returns when another process has opened the file since the block began."""
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.inotify_init1(os.O_CLOEXEC)
    assert library.inotify_add_watch(descriptor, os.fsencode(path), _OPENED) > 0
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)

    def wait() -> None:
        assert poller.poll(120_000), "the run did not come to its lease"

    try:
        yield wait
    finally:
        os.close(descriptor)


def test_a_module_that_was_cut_off_holds_up_no_end_of_the_command() -> None:
    """It may build an image for a quarter of an hour, whatever the report of the run comes to."""
    done = subprocess.run([sys.executable, "-c", LEFT], timeout=60, check=False)
    assert done.returncode == ExitCode.UNREACHABLE
