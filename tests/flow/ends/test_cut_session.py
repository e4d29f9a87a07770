"""What a session of tests leaves that is told to end: no call of kbz that goes on, and no lab."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flow.support.sshd import running_with, until
from tests.support.warm import end_all

ROOT = Path(__file__).parents[3]
_CHILD = """\
import subprocess, sys
from pathlib import Path

def run():
    mark = sys.argv[1]
    started = subprocess.Popen(["sh", "-c", "sleep 600", mark])
    Path(mark).write_text(str(started.pid))
    started.wait()
"""
_TESTS = """\
from pathlib import Path
import pytest
from child import run
from tests.flow.support.sshd import running_with, until
from tests.support import warm

HERE = Path(__file__).parent

@pytest.fixture(scope="module", autouse=True)
def lab():
    yield
    (HERE / "going").touch()
    until((HERE / "told-again").exists, "the second signal", 60)
    (HERE / "down").write_text(f"calls at work: {running_with(str(HERE / 'at-work'))}")

def test_at_work():
    warm.run(run, [str(HERE / "at-work")], 600)
"""


@pytest.mark.parametrize(
    ("told", "workers"),
    [
        (signal.SIGTERM, 0),
        pytest.param(signal.SIGINT, 0, marks=pytest.mark.long),
        pytest.param(signal.SIGTERM, 1, marks=pytest.mark.long),
    ],
)
def test_a_session_that_is_cut_ends_its_calls_and_takes_its_labs_down(
    tmp_path: Path, told: signal.Signals, workers: int
) -> None:
    """A worker of xdist is told 5 s later."""
    (tmp_path / "child.py").write_text(_CHILD)
    (tmp_path / "test_at_work.py").write_text(_TESTS)
    words = ("-p", "tests.conftest", "-p", "no:cacheprovider", "-n", str(workers), "-q")
    session = subprocess.Popen(
        [sys.executable, "-m", "pytest", *words, str(tmp_path)],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    at_work, down = tmp_path / "at-work", tmp_path / "down"
    try:
        until(lambda: at_work.exists() and at_work.read_text(), "a call to be at work", 60)
        assert running_with(str(at_work))
        session.send_signal(told)
        until((tmp_path / "going").exists, "its end to begin", 60)
        if told == signal.SIGTERM and not workers:
            session.send_signal(told)  # as the program `timeout` does
        (tmp_path / "told-again").touch()
        assert session.wait(60) == pytest.ExitCode.INTERRUPTED
    finally:
        session.kill()
        session.wait(10)
    assert down.read_text() == "calls at work: []"


def test_a_program_from_the_command_line_ends_with_its_site(tmp_path: Path) -> None:
    ours, others = tmp_path / "nornir_config.yaml", tmp_path / "others.yaml"
    words = [sys.executable, "-c", "import time; time.sleep(600)", "--config"]
    with (
        subprocess.Popen([*words, str(ours)]) as ended,
        subprocess.Popen([*words, str(others)]) as kept,
    ):
        try:
            until(lambda: running_with(str(ours)), "the program to run")
            end_all(ours)
            assert ended.wait(10) == -signal.SIGKILL
            assert kept.poll() is None
        finally:
            for process in (ended, kept):
                process.kill()
