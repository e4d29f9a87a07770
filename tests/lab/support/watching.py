"""What a rotation shows to others, and what becomes of one that is killed."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.lab.conftest import Kbz

_CONNECTOR, _PROCESSES, _LISTEN, _EXEC = 11, 1, 1, 2
"""Of Linux' linux/netlink.h, linux/connector.h and linux/cn_proc.h."""
_ROOM = 1 << 23
_PAUSE = 0.5
"""Seconds between looks at all processes: one may change its own title."""
_EAGER = -20


@contextmanager
def watching(*names: str) -> Iterator[set[bytes]]:
    """Collect what `ps` shows of all processes, here and inside the hosts, while the block runs.

    `names` are the files of each process below /proc that are read: its command line and its environment by default.

    The kernel tells of each program that begins, so that a short life is seen, and no core is taken by looking.
    """
    seen: set[bytes] = set()
    ended = threading.Event()
    look = partial(_look, seen, names or ("cmdline", "environ"))
    with _programs() as programs:
        works = (lambda: _listen(programs, look, ended), lambda: _look_around(look, ended))
        threads = [threading.Thread(target=work, name="watching") for work in works]
        for thread in threads:
            thread.start()
        try:
            yield seen
        finally:
            ended.set()
            for thread in threads:
                thread.join(30)
        assert not any(thread.is_alive() for thread in threads)


def _programs() -> socket.socket:
    """Return a socket on which the kernel tells of processes, before the first that matters begins."""
    told = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _CONNECTOR)
    told.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
    told.bind((0, _PROCESSES))
    wish = struct.pack("=IIIIHHI", _PROCESSES, 1, 0, 0, 4, 0, _LISTEN)
    done = 3  # NLMSG_DONE
    told.send(struct.pack("=IHHII", 16 + len(wish), done, 0, 0, told.getsockname()[0]) + wish)
    told.settimeout(_PAUSE)
    return told


def _listen(programs: socket.socket, look: Callable[[str], None], ended: threading.Event) -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _EAGER)
    while not ended.is_set():
        with suppress(
            OSError
        ):  # nothing happened, or more than fits: the next look around makes up for it
            what, pid = struct.unpack_from("=I12xI", programs.recv(4096), 36)
            if what == _EXEC:
                look(str(pid))


def _look_around(look: Callable[[str], None], ended: threading.Event) -> None:
    while True:
        for path in Path("/proc").glob("[0-9]*"):
            look(path.name)
        if ended.wait(_PAUSE):
            return


def _look(seen: set[bytes], names: tuple[str, ...], pid: str) -> None:
    for name in names:
        with suppress(OSError):  # it has just ended
            seen.add(Path(f"/proc/{pid}/{name}").read_bytes())


def kill_at_something_new(
    kbz: Kbz, service: str, seen: set[str], *lifted: str, moments: tuple[str, ...] = ("",)
) -> bool:
    """Start a rotation and kill it at the first word that none was killed at; True when it ended well.

    `moments` are the beginnings of the words that count.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "tests.lab.support.rotating", str(kbz.config), service, *lifted],
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
