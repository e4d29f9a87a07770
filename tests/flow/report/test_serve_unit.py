"""The unit of `kbz serve` in docs/how-to/watch-it.md: systemd reads it, and what it takes away is not missed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flow.support.serving import ROOT, serving
from tests.unit.support.page_values import remembered

PAGE = ROOT / "docs" / "how-to" / "watch-it.md"
FENCED_IN = """
import ctypes, os, sys
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0)  # where the kernel knows it
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Begins a program that gets no memory which is writable and executable: MemoryDenyWriteExecute."""


def unit() -> str:
    """Return the unit of the page, with the program of this repository in the place of the installed one."""
    (found,) = re.findall(r"```ini\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert "/opt/kbz/.venv/bin/kbz " in found
    return str(found).replace("/opt/kbz/.venv/bin/kbz ", f"{Path(sys.executable).parent / 'kbz'} ")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_reads_it_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "kbz-serve.service"
    path.write_text(unit())
    argv = ["systemd-analyze", "verify", "--man=no", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "kbz-serve" in line] == []
    path.write_text(unit().replace("ProtectSystem=strict", "ProtectSystem=sometimes"))
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert "kbz-serve.service" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="to take rights away needs root")
def test_root_without_rights_on_a_file_system_that_is_read_only_serves_it_all(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    script = (
        f"mount --make-rprivate / && mount --bind {state} {state} && mount -o remount,ro,bind / && "
        'exec setpriv --bounding-set=-all --no-new-privs "$0" -c "$@"'
    )
    before = ("unshare", "--mount", "sh", "-c", script, sys.executable, FENCED_IN)
    with serving(tmp_path, *before) as server:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
        assert server.get("/metrics").status == 200
        remembered(server.journal)
        assert "kbz drill patroni" in server.get("/").text
        server.process.terminate()
        assert server.process.wait(10) == 0
        assert len(server.lines()) == 1, server.lines()
