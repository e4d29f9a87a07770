"""What an older installation left: seen by name, and taken away without touching what runs beside it."""

from __future__ import annotations

import errno
import os
import stat

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.docker import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_UNITS = "/etc/systemd/system"


def read_retired(query: Query, context: Context) -> State:
    """Return whether it is still there; a folder counts only while it is empty."""
    part, target = query["part"], query["target"]
    if part == "container":
        there = context.docker.inspect(target) is not None
    elif part == "folder":
        there = _is_empty(target)
    else:
        there = opener.is_there(_path(part, target))
    return {"present": True, "attributes": {"there": there}}


def write_retired(order: Query, context: Context) -> None:
    """Take it away. A container's volumes stay, and a folder that is not empty too."""
    part, target = order["part"], order["target"]
    if part == "container":
        name = quote(target)
        context.docker.act("POST", f"/containers/{name}/stop?t=10")
        context.docker.act("DELETE", f"/containers/{name}")
    elif part == "folder":
        _remove_folder(target)
    elif part == "unit":
        _remove_unit(target)
    else:
        _remove_file(target)


def _path(part: str, target: str) -> str:
    return f"{_UNITS}/{target}" if part == "unit" else target


def _is_empty(path: str) -> bool:
    try:
        return not opener.names(path)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _remove_unit(unit: str) -> None:
    """Take a unit's file away without its ExecStop, which would stop the container that Docker keeps running."""
    _systemctl("disable", unit)
    _remove_file(_path("unit", unit))
    if not _systemctl("daemon-reload"):
        raise AgentError("systemctl daemon-reload failed", "systemctl status")
    # A client of Docker that is killed leaves its container alone; one that is ended stops it.
    _systemctl("kill", "--signal=KILL", unit)
    _systemctl("stop", unit)
    _systemctl("reset-failed", unit)


def _systemctl(*words: str) -> bool:
    return run_child(["systemctl", *words], timeout=60).exit_code == 0


def _remove_file(path: str) -> None:
    with opener.place(path) as found:
        if stat.S_ISDIR(found.status().st_mode):
            raise opener.UnsafeFileError(found.path, "is a directory; it is not removed")
        os.unlink(found.name, dir_fd=found.folder)


def _remove_folder(path: str) -> None:
    with opener.place(path) as found:
        try:
            os.rmdir(found.name, dir_fd=found.folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
