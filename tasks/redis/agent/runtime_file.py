"""Files that kbz makes once and that a daemon rewrites from then on."""

from __future__ import annotations

import os

from keybuzz.agent.guard import opener
from keybuzz.agent.kinds.host.files import ABSENT, ownership
from keybuzz.agent.runtime.ending import CLEANUPS
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context


def state_of(path: str, read: Callable[[list[str]], dict[str, object]]) -> State:
    """Return owner and mode, and what `read` finds in the lines; the text itself never leaves the host."""
    try:
        status = opener.status(path)
    except FileNotFoundError:
        return ABSENT
    return {"present": True, "attributes": {**ownership(status), **read(lines_of(path))}}


def lines_of(path: str) -> list[str]:
    """Return the lines of a regular file; a link is not followed."""
    return opener.read(path, opener.SMALL).decode(errors="surrogateescape").splitlines()


def seed(order: Query, text: str) -> None:
    """Make the file; one that appears meanwhile is never replaced."""
    _write(order, text, _link)


def edit(order: Query, text: str | None) -> None:
    """Give the file its owner and mode, and another text when there is one."""
    path = order["name"]
    if text is not None:
        _write(order, text, _rename)
        return
    descriptor = opener.opened(path)
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


def _link(new: opener.Place, name: str) -> None:
    os.link(new.name, name, src_dir_fd=new.folder, dst_dir_fd=new.folder)


def _rename(new: opener.Place, name: str) -> None:
    os.rename(new.name, name, src_dir_fd=new.folder, dst_dir_fd=new.folder)


def _write(order: Query, text: str, put: Callable[[opener.Place, str], None]) -> None:
    with opener.place(order["name"]) as found:
        new = found.beside(f".{found.name}.kbz-new")
        new.discard()
        descriptor, ticket = CLEANUPS.begin(new.create, lambda _: new.discard())
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchown(file.fileno(), order["owner"], order["group"])
                file.write(text.encode(errors="surrogateescape"))
                file.flush()
                os.fsync(file.fileno())
            put(new, found.name)
        finally:
            new.discard()
            CLEANUPS.forget(ticket)
