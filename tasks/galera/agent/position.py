"""How far the data of a stopped Galera node goes: what grastate.dat says, and what the server itself finds.

The file is only a word of the node: the server is asked on every node that holds a database, and both answers go back.
"""

from __future__ import annotations

import os
import re

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.runtime.context import Context

_RECOVERED = re.compile(r"WSREP: Recovered position:?\s*([0-9a-f-]{36}):(-?\d{1,19})")
_VIEW = re.compile(r"^kbz-view (\d{1,19}) (\S{1,500})$", re.MULTILINE)
_LINE = re.compile(r"^(uuid|seqno|safe_to_bootstrap):\s*(\S+)\s*$", re.MULTILINE)
_DATABASE = "ibdata1"
"""Without it the server has nothing to find a position in."""
_OWN = frozenset({"mysql", "performance_schema", "sys", "test", "lost+found"})
"""Folders of the data folder that are no user's database."""


def answer_galera_position(query: dict[str, Any], context: Context) -> dict[str, object]:
    """Return what tasks.galera.service.readings.GaleraPosition promises; AgentError while the server runs."""
    found = context.docker.inspect(query["container"])
    if found is not None and (found["State"]["Running"] or found["State"].get("Restarting")):
        raise AgentError(f"container {query['container']} runs: its position cannot be read")
    state = _file(os.path.join(query["data"], "grastate.dat"))
    names = _names(query["data"])
    database = _DATABASE in names
    seqno = (state or {}).get("seqno", "")
    recovered, number, members = _asked(query, context) if database else ("", -1, [])
    return {
        "there": state is not None or database,
        "uuid": (state or {}).get("uuid", ""),
        "seqno": int(seqno) if re.fullmatch(r"-?\d{1,18}", seqno) else -1,
        "safe": (state or {}).get("safe_to_bootstrap") == "1",
        "recovered": recovered,
        "view": number,
        "members": members,
        "databases": _databases(query["data"], names),
    }


def _file(path: str) -> dict[str, str] | None:
    try:
        return dict(_LINE.findall(opener.text(path, opener.SMALL)))
    except FileNotFoundError:
        return None


def _names(folder: str) -> list[str]:
    try:
        return opener.names(folder)
    except FileNotFoundError:
        return []


def _databases(folder: str, names: list[str]) -> int:
    """Return how many databases of users lie there: each is a folder."""
    candidates = [name for name in names if name not in _OWN and not name.startswith((".", "#"))]
    return sum(opener.is_folder(os.path.join(folder, name)) for name in candidates[:1000])


def _asked(query: dict[str, Any], context: Context) -> tuple[str, int, list[str]]:
    """Return the position, and number and members of the last Primary component, where the server tells it."""
    code, output = context.docker.run_once(
        query["image"], query["argv"], query["binds"], timeout=query["timeout"]
    )
    match = _RECOVERED.search(output)
    if match is None:
        last = output.strip().splitlines()[-1:] or [f"it ended with {code}"]
        raise AgentError(f"the server does not find its position: {last[0][:200]}")
    view = _VIEW.search(output)
    members = view[2].split(",") if view else []
    return f"{match[1]}:{match[2]}", int(view[1]) if view else -1, members
