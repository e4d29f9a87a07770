"""Directories, symbolic links, and files that must not be there."""

from __future__ import annotations

import os
import stat

from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

ABSENT: State = {"present": False, "attributes": {}}


def ownership(status: os.stat_result) -> dict[str, object]:
    """Return the attributes that directories and files share."""
    return {
        "owner": status.st_uid,
        "group": status.st_gid,
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
    }


def read_directory(query: Query, context: Context) -> State:
    """Read owner, group and mode."""
    try:
        status = os.lstat(query["name"])
    except FileNotFoundError:
        return ABSENT
    if not stat.S_ISDIR(status.st_mode):
        raise AgentError(f"{query['name']} is not a directory", "move it away")
    return {"present": True, "attributes": ownership(status)}


def write_directory(order: Query, context: Context) -> None:
    """Make the directory, and parents as 0755 root; then owner and mode of itself only."""
    path = order["name"]
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    if not os.path.isdir(path):
        os.mkdir(path, 0o700)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(descriptor, order["owner"], order["group"])
        os.fchmod(descriptor, order["mode"])
    finally:
        os.close(descriptor)


def read_symlink(query: Query, context: Context) -> State:
    """Read the target."""
    try:
        return {"present": True, "attributes": {"target": os.readlink(query["name"])}}
    except FileNotFoundError:
        return ABSENT
    except OSError:
        return {"present": True, "attributes": {"target": "(not a link)"}}


def write_symlink(order: Query, context: Context) -> None:
    """Replace the link atomically."""
    temporary = f"{order['name']}.kbz-new"
    if os.path.lexists(temporary):
        os.unlink(temporary)
    os.symlink(order["target"], temporary)
    try:
        os.rename(temporary, order["name"])
    except OSError:
        os.unlink(temporary)
        raise


def read_absent(query: Query, context: Context) -> State:
    """Say whether it is there."""
    return {"present": True, "attributes": {"there": os.path.lexists(query["name"])}}


def write_absent(order: Query, context: Context) -> None:
    """Remove a file or a link; a directory is never removed."""
    path = order["name"]
    if os.path.isdir(path) and not os.path.islink(path):
        raise AgentError(f"{path} is a directory; kbz removes no directories", "look at it")
    os.unlink(path)
