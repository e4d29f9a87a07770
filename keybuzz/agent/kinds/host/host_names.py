"""A block of ours in /etc/hosts; every other line stays as it is."""

from __future__ import annotations

import os
import stat

from keybuzz.agent.runtime.atomic import replacing
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

PATH = "/etc/hosts"


def _marks(name: str) -> tuple[str, str]:
    return f"# BEGIN kbz {name}", f"# END kbz {name}"


def _split(name: str) -> tuple[list[str] | None, list[str]]:
    """Return the lines of the block, or None without one, and all others."""
    try:
        with open(PATH, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return None, []
    begin, end = _marks(name)
    if begin not in lines:
        return None, lines
    first = lines.index(begin)
    if end not in lines[first:]:
        raise AgentError(f"{PATH} has “{begin}” and not its end", "mend it by hand")
    last = lines.index(end, first)
    return lines[first + 1 : last], lines[:first] + lines[last + 1 :]


def read_host_names(query: Query, context: Context) -> State:
    """Read the lines of the block."""
    block, _ = _split(query["name"])
    if block is None:
        return {"present": False, "attributes": {}}
    return {"present": True, "attributes": {"entries": block}}


def write_host_names(order: Query, context: Context) -> None:
    """Put the block at the head of the file, in one step; owner and mode of the file stay."""
    _, others = _split(order["name"])
    begin, end = _marks(order["name"])
    text = "\n".join([begin, *order["entries"], end, *others]) + "\n"
    owner, group, mode = 0, 0, 0o644
    if os.path.exists(PATH):
        status = os.stat(PATH)
        owner, group, mode = status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)
    with replacing(PATH, text.encode("utf-8", "surrogateescape"), owner, group, mode):
        pass
