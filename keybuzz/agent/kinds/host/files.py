"""Directories, symbolic links, and files that must not be there."""

from __future__ import annotations

import os
import stat

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
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
        status = opener.status(query["name"])
    except FileNotFoundError:
        return ABSENT
    if not stat.S_ISDIR(status.st_mode):
        raise AgentError(f"{query['name']} is not a directory", "move it away")
    return {"present": True, "attributes": ownership(status)}


def write_directory(order: Query, context: Context) -> None:
    """Make the directory, and parents as 0755 root; then owner and mode of itself only."""
    with opener.place(order["name"], make=True) as found:
        try:
            os.mkdir(found.name, 0o700, dir_fd=found.folder)
        except FileExistsError:
            pass
        descriptor = os.open(found.name, _FOLDER, dir_fd=found.folder)
    try:
        os.fchown(descriptor, order["owner"], order["group"])
        os.fchmod(descriptor, order["mode"])
    finally:
        os.close(descriptor)


def read_symlink(query: Query, context: Context) -> State:
    """Read the target."""
    try:
        with opener.place(query["name"]) as found:
            target = os.readlink(found.name, dir_fd=found.folder)
    except FileNotFoundError:
        return ABSENT
    except OSError:
        target = "(not a link)"
    return {"present": True, "attributes": {"target": target}}


def write_symlink(order: Query, context: Context) -> None:
    """Replace the link atomically."""
    with opener.place(order["name"]) as found:
        new = found.beside(f"{found.name}.kbz-new")
        new.discard()
        os.symlink(order["target"], new.name, dir_fd=new.folder)
        try:
            os.rename(new.name, found.name, src_dir_fd=new.folder, dst_dir_fd=found.folder)
        except OSError:
            new.discard()
            raise


def read_absent(query: Query, context: Context) -> State:
    """Return whether it is there."""
    return {"present": True, "attributes": {"there": opener.is_there(query["name"])}}


def write_absent(order: Query, context: Context) -> None:
    """Remove a file or a link; a directory is never removed."""
    with opener.place(order["name"]) as found:
        if stat.S_ISDIR(found.status().st_mode):
            raise opener.UnsafeFileError(found.path, "is a directory; kbz removes no directories")
        os.unlink(found.name, dir_fd=found.folder)
