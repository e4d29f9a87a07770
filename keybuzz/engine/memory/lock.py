"""Leases: one per cluster, so that two runs never change the same one (facts/operations.md).

The kernel holds the lock (flock), so that it ends with its process, however that ends: nothing is left that needs a
hand. The file beside it says who holds it, since when, and when that process last gave a sign of life.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from keybuzz.engine.memory.who import this_caller
from keybuzz.model.core.errors import RefusedError, StoppedError
from keybuzz.model.inventory.server import Server
from keybuzz.site.files.private import StateError, open_private, private_subfolder, read_private

_HEARTBEAT = 5.0
_POLL = 0.2
_LARGEST = 65536
"""Bytes that are read of a lease: it holds one record of a command."""


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

    The halves of a cluster (`x-masters` and `x-workers` of `x`) have the lease of the whole.
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
    private_subfolder(folder)
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
    descriptor = _take(path, deadline, stop)
    try:
        record = {
            "owner": this_caller().owner,
            "pid": os.getpid(),
            "command": command,
            "since": time.time(),
        }
        # The kernel holds the lease: what is written only says who has it, and a full disk takes no lease away.
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(record).encode(), 0)
        yield descriptor
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _take(path: Path, deadline: float, stop: threading.Event) -> int:
    """Return the descriptor that holds the lease, which is on the file that has the name now."""
    while (descriptor := _try(path)) is None:
        if time.monotonic() >= deadline:
            raise _refusal(path)
        if stop.wait(_POLL):
            raise StoppedError(
                f"stopped on request, while it waited for the lease on {path.stem}; "
                "nothing was changed"
            )
    return descriptor


def _try(path: Path) -> int | None:
    """Return a descriptor that holds the lease, or None while another process has it."""
    descriptor, new = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(descriptor, path):
            if not new or removed_holder(path) is None:
                return descriptor
            path.unlink()  # the next process makes it, and looks for that holder again
    except BlockingIOError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _open(path: Path) -> tuple[int, bool]:
    """Return a descriptor of a lease's file, and whether it was made now."""
    try:
        return open_private(path, os.O_RDWR | os.O_CREAT | os.O_EXCL), True
    except FileExistsError:
        return open_private(path, os.O_RDWR | os.O_CREAT), False


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether the open file is the one that has the name now: another process may have removed it."""
    mine = os.fstat(descriptor)
    try:
        named = path.lstat()
    except FileNotFoundError:
        return False
    return (mine.st_dev, mine.st_ino) == (named.st_dev, named.st_ino)


def removed_holder(path: Path) -> int | None:
    """Return the process that holds the lease by a file that was removed from the folder, or None.

    A file that was removed and made again would be free, while the run that has the old one open is still at work.
    The kernel says so: the open file of a process keeps its old name, and is marked as deleted.
    """
    gone = f"{path.parent.resolve() / path.name} (deleted)"
    for opened in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):
            for descriptor in opened.iterdir():
                with suppress(OSError):
                    if str(descriptor.readlink()) == gone:
                        return int(opened.parent.name)
    return None


def _refusal(path: Path) -> RefusedError:
    holder, gone = read_holder(path), removed_holder(path)
    if gone is not None:
        who = f"pid {gone}, by a file that was removed from {path.parent}"
    else:
        who = holder.sentence(time.time()) if holder else "a run that has just begun"
    return RefusedError(
        f"the lease on {path.stem} is held by {who}",
        hint="wait for it, or give --wait SECONDS; it ends with that process",
    )


def read_holder(path: Path) -> Holder | None:
    """Return who is written in a lease file, or None."""
    with suppress(OSError, StateError, ValueError, KeyError, TypeError):
        record = json.loads(read_private(path, _LARGEST))
        return Holder(
            str(record["owner"]),
            int(record["pid"]),
            str(record["command"]),
            float(record["since"]),
            path.lstat().st_mtime,
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
            with suppress(
                OSError
            ):  # a disk that is read-only now takes the sign of life, and no lease
                os.utime(descriptor)
