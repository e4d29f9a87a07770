"""kbz, or a program of the tests, as a process of its own that need not load kbz first: there are a thousand of them.

A process with everything imported is forked for each call (multiprocessing's forkserver). What is about the start of
the program, its signals or its terminal is tested with a process from the command line.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from signal import SIGKILL
from tempfile import TemporaryDirectory
from typing import NoReturn

_FORKING = get_context("forkserver")
_PRELOADED = "tests.support.loaded"


def call(argv: Sequence[str], seconds: float, folder: Path | None = None) -> tuple[int, str, str]:
    """Run `kbz` with these words, in this folder; return exit code, standard output and standard error.

    Raises subprocess.TimeoutExpired after that many seconds. However it is left, nothing of the call goes on.
    """
    return run(_kbz, argv, seconds, folder)


def run(
    program: Callable[[], object], argv: Sequence[str], seconds: float, folder: Path | None = None
) -> tuple[int, str, str]:
    """Run a function of a module in the same way; the code is negative when a signal has ended the process."""
    _FORKING.set_forkserver_preload([_PRELOADED])
    with TemporaryDirectory() as kept:
        outputs = (Path(kept, "stdout"), Path(kept, "stderr"))
        words = (program, tuple(argv), str(folder or Path.cwd()), *map(str, outputs))
        process = _FORKING.Process(target=_become, args=words)
        try:
            process.start()
            process.join(seconds)
            if process.exitcode is None:
                raise subprocess.TimeoutExpired(list(argv), seconds)
        finally:  # of a session that is cut too: what takes its lab down needs the leases that a call holds
            _end(process)
        stdout, stderr = (output.read_text(errors="replace") for output in outputs)
        return process.exitcode, stdout, stderr


def _end(process: BaseProcess) -> None:
    """End a call that is at work yet, and what it has started."""
    if process.pid is None or process.exitcode is not None:
        return
    with suppress(ProcessLookupError):  # it has no group yet
        os.killpg(process.pid, SIGKILL)
    process.kill()
    process.join()


def end_with_caller() -> None:
    """End this process, and what it starts, when the one that called for it has ended, however that ended.

    The server that forks lives on as long as its children do: a run of a killed session would hold the lab's leases.
    No thread waits for it: kbz enters the lab's network before there is any. The kernel's signal ends the process.
    """
    caller = parent_process()
    assert caller is not None
    os.setsid()
    fcntl.fcntl(caller.sentinel, fcntl.F_SETOWN, -os.getpid())  # the whole group
    fcntl.fcntl(caller.sentinel, fcntl.F_SETSIG, SIGKILL)
    fcntl.fcntl(caller.sentinel, fcntl.F_SETFL, os.O_ASYNC)
    if wait([caller.sentinel], 0):
        os.killpg(os.getpid(), SIGKILL)


def end_all(mark: Path) -> None:
    """End every process whose command line names this file, and wait until they have ended.

    A test that is cut does not end the programs that it has started from the command line.
    """
    found = [pid for pid in _others() if str(mark).encode() in _words(pid)]
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, SIGKILL)
    deadline = time.monotonic() + 30
    while any(str(mark).encode() in _words(pid) for pid in found):  # a zombie has no words
        assert time.monotonic() < deadline, f"processes of {mark} do not end: {found}"
        time.sleep(0.02)


def _others() -> list[int]:
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return [pid for pid in pids if pid != os.getpid()]


def _words(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _kbz() -> NoReturn:
    from keybuzz.cli.main import main

    main()
    raise AssertionError("kbz's main never returns")


def _become(
    program: Callable[[], object], argv: tuple[str, ...], folder: str, stdout: str, stderr: str
) -> None:
    end_with_caller()
    os.chdir(folder)
    for descriptor, path in ((1, stdout), (2, stderr)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv = ["kbz", *argv]
    program()
