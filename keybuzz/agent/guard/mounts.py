"""Mounts that do not answer: the file system of a server that is away, or of a program that hangs.

Whatever opens a path there waits for ever, and with it everything else that this host is asked. So each such mount is
asked once, by a thread that may be left behind, before the first path is opened.
"""

from __future__ import annotations

import os
import time
from _thread import allocate_lock, start_new_thread
from errno import EHOSTDOWN, EHOSTUNREACH, EIO, ENOTCONN, ESTALE, ETIMEDOUT

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.pattern import Pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MOUNTINFO = "/proc/self/mountinfo"
PATIENCE = 3.0
"""Seconds for all of them together."""
_AWAY = ("nfs", "cifs", "smb", "fuse", "9p", "ceph", "gluster", "lustre", "afs", "beegfs", "davfs")
"""How the types begin of which something else than the kernel answers."""
_KERNELS = frozenset({"fusectl", "nfsd"})
_OCTAL = Pattern(r"\\([0-7]{3})")
_BROKEN = (ESTALE, ENOTCONN, EIO, ETIMEDOUT, EHOSTDOWN, EHOSTUNREACH)

_sick: dict[str, str] | None = None
_questions: dict[str, _Question] = {}
"""The last one to each mount point: while it is not answered, no other is asked."""


class SickMountError(AgentError):
    """A path lies on a mount that does not answer."""


def forget() -> None:
    """Ask again: a request begins."""
    global _sick
    _sick = None


def sick() -> dict[str, str]:
    """Return each mount point that does not answer, with its type and what is wrong."""
    global _sick
    if _sick is None:
        _sick = _asked(dict(away(mountinfo())))
    return _sick


def refuse(path: str) -> None:
    """Raise SickMountError for a path on a mount that does not answer."""
    if not (found := sick()):
        return
    plain = "/".join(["", *(part for part in path.split("/") if part not in ("", "."))])
    for point, why in found.items():
        if plain == point or plain.startswith(f"{point.rstrip('/')}/"):
            raise SickMountError(
                f"{path} cannot be read: {why}", "kbz health base says what ends it"
            )


def entries(mountinfo: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield mount point, type, and the options of the mount and of its file system, of each line (proc(5))."""
    for line in mountinfo.split("\n"):  # a name may hold other ends of a line
        left, _, right = line.partition(" - ")
        fields, others = left.split(" "), right.split(" ")
        if len(fields) > 5 and len(others) > 2:
            yield plain(fields[4]), others[0], (*fields[5].split(","), *others[2].split(","))


def plain(point: str) -> str:
    """Return a name as it is: the kernel writes space, tab, line end and backslash as `\\040` and so on."""
    if "\\" not in point:
        return point
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), point)


def away(mountinfo: str) -> Iterator[tuple[str, str]]:
    """Yield mount point and type of each mount of which something else than the kernel answers."""
    for point, kind, _ in entries(mountinfo):
        if kind.startswith(_AWAY) and kind not in _KERNELS:
            yield point, kind


class _Question:
    """One mount that is asked, by a thread of its own."""

    def __init__(self, point: str) -> None:
        self.said: str | None = None
        """What is wrong, or nothing; None as long as there is no answer."""
        self.answered = allocate_lock()
        self.answered.acquire()
        start_new_thread(self._ask, (point,))

    def _ask(self, point: str) -> None:
        said = ""
        try:
            os.statvfs(point)
        except OSError as error:
            said = f"answers with an error: {error.strerror}" if error.errno in _BROKEN else ""
        self.said = said
        self.answered.release()


def _asked(kinds: dict[str, str]) -> dict[str, str]:
    new = [p for p in kinds if (before := _questions.get(p)) is None or before.said is not None]
    until = time.monotonic() + PATIENCE
    _questions.update({point: _Question(point) for point in new})
    for point in new:
        _questions[point].answered.acquire(timeout=max(0.0, until - time.monotonic()))
    found = {}
    for point, kind in kinds.items():
        said = _questions[point].said
        if said != "":
            found[point] = f"{point} ({kind}) {said or 'does not answer: what asks for it hangs'}"
    return found


def mountinfo() -> str:
    """Return the kernel's table of this process; names that are not UTF-8 have surrogates in them."""
    try:
        with open(MOUNTINFO, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
