"""Leases: one per cluster, so that two runs never change the same one (facts/operations.md).

The kernel holds the lock (flock), so that it ends with its process, however that ends: nothing is left that needs a
hand. The file beside it says who holds it, since when, and when that process last gave a sign of life.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from keybuzz.model.core.errors import RefusedError, StoppedError
from keybuzz.model.inventory.server import Server

_HEARTBEAT = 5.0
_POLL = 0.2


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease."""

    owner: str
    pid: int
    command: str
    since: float
    """Seconds since the epoch."""
    heartbeat: float
    """Seconds since the epoch."""

    def sentence(self, now: float) -> str:
        """Return who, how long and how alive, in words."""
        return (
            f"{self.owner} (pid {self.pid}, `{self.command}`) for {_age(now - self.since)}, "
            f"last sign of life {_age(now - self.heartbeat)} ago"
        )


def lease_names(servers: Iterable[Server]) -> tuple[str, ...]:
    """Return one lease for each cluster that the servers carry, and one for each server without any.

    The halves of a cluster (k3s-masters and k3s-workers of k3s) have the lease of the whole.
    """
    names: set[str] = set()
    for server in servers:
        groups = [group for group in server.groups if group != "all"]
        whole = [g for g in groups if not any(g.startswith(f"{other}-") for other in groups)]
        names.update(whole or [server.name])
    return tuple(sorted(names))


def _age(seconds: float) -> str:
    whole = max(0, int(seconds))
    return f"{whole} s" if whole < 120 else f"{whole // 60} min"


@contextmanager
def leases(
    folder: Path,
    names: tuple[str, ...],
    command: str,
    wait: float = 0.0,
    stop: threading.Event | None = None,
) -> Iterator[None]:
    """Hold every named lease, or raise RefusedError that says who does.

    `wait` is in seconds; StoppedError when `stop` is set while it waits.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)
    deadline = time.monotonic() + wait
    stop = stop or threading.Event()
    stopped = threading.Event()
    with ExitStack() as stack:
        held = [
            stack.enter_context(_lease(folder / f"{name}.lease", command, deadline, stop))
            for name in sorted(set(names))
        ]
        beat = threading.Thread(target=_beat, args=(held, stopped), name="heartbeat", daemon=True)
        beat.start()
        try:
            yield
        finally:
            stopped.set()
            beat.join()


@contextmanager
def _lease(path: Path, command: str, deadline: float, stop: threading.Event) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, path, deadline, stop)
        now = time.time()
        record = {
            "owner": f"{getpass.getuser()}@{socket.gethostname()}",
            "pid": os.getpid(),
            "command": command,
            "since": now,
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(record).encode(), 0)
        yield descriptor
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, deadline: float, stop: threading.Event) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise _refusal(path) from None
            if stop.wait(_POLL):
                raise StoppedError(
                    f"stopped on request, while it waited for the lease on {path.stem}; "
                    "nothing was changed"
                ) from None
            continue
        return


def _refusal(path: Path) -> RefusedError:
    holder = read_holder(path)
    who = holder.sentence(time.time()) if holder else "a run that has just begun"
    return RefusedError(
        f"the lease on {path.stem} is held by {who}",
        hint="wait for it, or give --wait SECONDS; it ends with that process",
    )


def read_holder(path: Path) -> Holder | None:
    """Return who is written in a lease file, or None."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads(path.read_bytes())
        return Holder(
            record["owner"],
            record["pid"],
            record["command"],
            record["since"],
            path.stat().st_mtime,
        )
    return None


def at_work(folder: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Return who holds these leases now, in sentences, without touching a lock: a sign of life is enough.

    Only for what is said beside something else: who must not meet another run takes the lease.
    """
    now = time.time()
    found: dict[tuple[int, str], list[str]] = {}
    for name in names:
        holder = read_holder(folder / f"{name}.lease")
        if holder is not None and now - holder.heartbeat < 3 * _HEARTBEAT:
            found.setdefault((holder.pid, holder.command), []).append(name)
    return tuple(
        f"`{command}` (pid {pid}) was at work on {', '.join(held)}"
        for (pid, command), held in found.items()
    )


def _beat(descriptors: list[int], stopped: threading.Event) -> None:
    while not stopped.wait(_HEARTBEAT):
        for descriptor in descriptors:
            os.utime(descriptor)
