"""What a rotation shows to others, and what becomes of one that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.lab.conftest import Kbz

_YOUNG = 200
"""Looks at one process."""


@contextmanager
def watching() -> Iterator[set[bytes]]:
    """Collect what `ps` shows of all processes, here and inside the hosts, while the block runs."""
    seen: set[bytes] = set()
    ended = threading.Event()

    def look() -> None:
        # A young process may still become another program; an old one is not read again, so that a short life is seen.
        looks: dict[str, int] = {}
        while not ended.is_set():
            running = {path.name for path in Path("/proc").glob("[0-9]*")}
            looks = {pid: looks.get(pid, 0) + 1 for pid in running}
            for pid in (pid for pid, count in looks.items() if count <= _YOUNG):
                for name in ("cmdline", "environ"):
                    with suppress(OSError):  # it has just ended
                        seen.add(Path(f"/proc/{pid}/{name}").read_bytes())

    thread = threading.Thread(target=look, name="watching")
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join(30)


def kill_at_something_new(
    kbz: Kbz, service: str, seen: set[str], *lifted: str, moments: tuple[str, ...] = ("",)
) -> bool:
    """Start a rotation and kill it at the first word that none was killed at; True when it ended well.

    `moments` are the beginnings of the words that count.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "tests.lab.rotating", str(kbz.config), service, *lifted],
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            word = line.strip()
            if word.startswith("end "):
                assert word.split()[1] == "0", word
                return True
            if word not in seen and word.startswith(moments):
                seen.add(word)
                os.kill(run.pid, signal.SIGKILL)
                return False
    pytest.fail(f"the rotation ended without a word (exit {run.returncode})")


def kill_at_each_stage(
    kbz: Kbz,
    service: str,
    *lifted: str,
    killed: Callable[[], None] = lambda: None,
    stages: tuple[str, ...] = ("",),
) -> set[str]:
    """Kill one rotation when stages begin and when the logins are proven; return what it was killed at.

    `killed` is called after each kill; `stages` are the beginnings of the names of stages.
    """
    seen: set[str] = set()
    moments = (*(f"stage {name}" for name in stages), "held a real login")
    for _ in range(40):
        if kill_at_something_new(kbz, service, seen, *lifted, moments=moments):
            return seen
        killed()
    pytest.fail(f"the rotation did not end; killed at {sorted(seen)}")
