"""Files that kbz makes once and that a daemon rewrites from then on."""

from __future__ import annotations

import os
import stat

from keybuzz.agent.kinds.host.files import ABSENT, ownership
from keybuzz.agent.runtime.ending import CLEANUPS
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_LARGEST = 1 << 20


def state_of(path: str, read: Callable[[list[str]], dict[str, object]]) -> State:
    """Return owner and mode, and what `read` finds in the lines; the text itself never leaves the host."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return ABSENT
    return {"present": True, "attributes": {**ownership(status), **read(lines_of(path))}}


def lines_of(path: str) -> list[str]:
    """Return the lines of a regular file; a link is not followed."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise AgentError(f"{path} must be a file", "look at it, move it away")
        return file.read(_LARGEST).decode(errors="surrogateescape").splitlines()


def seed(order: Query, text: str) -> None:
    """Make the file; one that appears meanwhile is never replaced."""
    _write(order, text, lambda new: os.link(new, order["name"]))


def edit(order: Query, text: str | None) -> None:
    """Give the file its owner and mode, and another text when there is one."""
    path = order["name"]
    if text is not None:
        _write(order, text, lambda new: os.rename(new, path))
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fchown(descriptor, order["owner"], order["group"])
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def require_stopped(order: Query, context: Context) -> None:
    """Refuse while the daemon of the file runs: it would write its own truth over ours."""
    found = context.docker.inspect(order["container"])
    if found is not None and found["State"]["Running"]:
        raise AgentError(
            f"container {order['container']} runs; whom it follows is Sentinel's decision",
            "run the command again: it plans from what is there now",
            outcome="refused",
        )


def _write(order: Query, text: str, place: Callable[[str], None]) -> None:
    path = order["name"]
    temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.kbz-new")
    _discard(temporary)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor, ticket = CLEANUPS.begin(
        lambda: os.open(temporary, flags, 0o600), lambda _: _discard(temporary)
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchown(file.fileno(), order["owner"], order["group"])
            file.write(text.encode(errors="surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        place(temporary)
    finally:
        _discard(temporary)
        CLEANUPS.forget(ticket)


def _discard(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
