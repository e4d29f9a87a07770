"""What a killed session of tests leaves: no run that goes on and holds the leases of a lab."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.flow.support.sshd import until

_CHILD = """\
import os, time
from pathlib import Path
from tests.support.warm import end_with_caller

def run(place):
    end_with_caller()
    Path(place).write_text(str(os.getpid()))
    time.sleep(600)
"""
_SESSION = """\
import sys
from multiprocessing import get_context
from child import run

if __name__ == "__main__":
    process = get_context("forkserver").Process(target=run, args=(sys.argv[1],))
    process.start()
    process.join()
"""


def test_a_call_of_kbz_ends_with_the_session_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(_CHILD)
    (tmp_path / "session.py").write_text(_SESSION)
    place = tmp_path / "pid"
    root = Path(__file__).parents[3]
    session = subprocess.Popen(
        [sys.executable, str(tmp_path / "session.py"), str(place)],
        env={"PYTHONPATH": f"{tmp_path}:{root}", "PATH": "/usr/bin:/bin"},
    )
    try:
        until(lambda: place.exists() and place.read_text(), "the call to be at work")
        call = Path("/proc", place.read_text())
        assert call.exists()
    finally:
        session.kill()
        session.wait(10)
    until(lambda: not call.exists() or _ended(call), "the call to end")


def _ended(process: Path) -> bool:
    """Return whether it only waits to be buried: the server that forked it may be slow."""
    try:
        return ") Z " in (process / "stat").read_text()
    except FileNotFoundError:
        return True
