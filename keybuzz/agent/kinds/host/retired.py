"""What an older installation left: seen by name, and taken away without touching what runs beside it.

Only what is surely its own counts. A name that means something else now is another's: a configuration file that dpkg
keeps, the files of a service that is installed or runs, a mask, a link to a folder, a mount point. A file that is
taken away has a copy in keybuzz.agent.kinds.host.file.PREVIOUS, as one that is replaced.
"""

from __future__ import annotations

import errno
import os
import stat

from keybuzz.agent.guard import opener
from keybuzz.agent.kinds.host import packages
from keybuzz.agent.kinds.host.file import keep_previous
from keybuzz.agent.readings.units import unit as systemd_unit
from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.docker import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_UNITS = "/etc/systemd/system"
_STAYS = (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EBUSY)
"""A folder that is gone, has something in it again, is a link by now, or a mount point."""


def read_retired(query: Query, context: Context) -> State:
    """Return whether it is still there; a folder counts only while it is empty."""
    return {"present": True, "attributes": {"there": _is_there(query, context)}}


def write_retired(order: Query, context: Context) -> None:
    """Take it away. A container's volumes stay, and a folder that is not empty too."""
    part, target = order["part"], order["target"]
    if not _is_there(order, context):
        return
    if part == "container":
        name = quote(target)
        context.docker.act("POST", f"/containers/{name}/stop?t=10")
        context.docker.act("DELETE", f"/containers/{name}")
    elif part == "folder":
        _remove_folder(target)
    elif part == "unit":
        _remove_unit(target)
    else:
        _keep(target)
        _remove_file(target)


def _is_there(query: Query, context: Context) -> bool:
    part, target = query["part"], query["target"]
    if part == "container":
        return context.docker.inspect(target) is not None
    path = _path(part, target)
    try:
        with opener.place(path) as found:
            lies = not found.is_mounted() and _lies(part, found)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return lies and not _is_of_another(path, query["service"], context)


def _path(part: str, target: str) -> str:
    return f"{_UNITS}/{target}" if part == "unit" else target


def _lies(part: str, found: opener.Place) -> bool:
    """Return whether what has the name is such a thing at all; a link to a folder is no folder."""
    status = found.status()
    if part == "folder":
        return stat.S_ISDIR(status.st_mode) and not opener.names(found.path)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        return False
    return part != "unit" or not _is_mask(found, status)


def _is_mask(found: opener.Place, status: os.stat_result) -> bool:
    """Return whether systemd takes this file of a unit for "never start it": a link to /dev/null, or an empty file."""
    if stat.S_ISREG(status.st_mode):
        return status.st_size == 0
    return os.readlink(found.name, dir_fd=found.folder) == "/dev/null"


def _is_of_another(path: str, service: str, context: Context) -> bool:
    if packages.owns(path, context) or (service and packages.has(service, context)):
        return True
    if not service:
        return False
    said = systemd_unit(f"{service}.service", context)
    enabled = said.get("UnitFileState", "").startswith("enabled")
    return enabled or said.get("ActiveState") in ("active", "reloading", "activating")


def _remove_unit(unit: str) -> None:
    """Take a unit's file away without its ExecStop, which would stop the container that Docker keeps running."""
    _keep(_path("unit", unit))
    _systemctl("disable", unit)  # which takes a link away itself
    _remove_file(_path("unit", unit))
    if not _systemctl("daemon-reload"):
        raise AgentError("systemctl daemon-reload failed", "systemctl status")
    # A client of Docker that is killed leaves its container alone; one that is ended stops it.
    _systemctl("kill", "--signal=KILL", unit)
    _systemctl("stop", unit)
    _systemctl("reset-failed", unit)


def _systemctl(*words: str) -> bool:
    return run_child(["systemctl", *words], timeout=60).exit_code == 0


def _keep(path: str) -> None:
    """Keep a copy; what is no plain file of the size of a configuration has none."""
    try:
        keep_previous(path)
    except opener.UnsafeFileError:
        pass


def _remove_file(path: str) -> None:
    with opener.place(path) as found:
        found.discard()


def _remove_folder(path: str) -> None:
    with opener.place(path) as found:
        try:
            os.rmdir(found.name, dir_fd=found.folder)
        except OSError as error:
            if error.errno not in _STAYS:
                raise
