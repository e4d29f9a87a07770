"""How far the data of a stopped Galera node goes: from grastate.dat, or found by the server itself."""

from __future__ import annotations

import os
import re

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.runtime.context import Context

_RECOVERED = re.compile(r"WSREP: Recovered position:?\s*([0-9a-f-]{36}):(-?\d+)")
_LINE = re.compile(r"^(uuid|seqno|safe_to_bootstrap):\s*(\S+)\s*$", re.MULTILINE)


def position(query: dict[str, Any], context: Context) -> dict[str, object]:
    """Return what keybuzz.model.core.reading.GaleraPosition promises; AgentError while the server runs."""
    found = context.docker.inspect(query["container"])
    if found is not None and (found["State"]["Running"] or found["State"].get("Restarting")):
        raise AgentError(f"container {query['container']} runs: its position cannot be read")
    path = os.path.join(query["data"], "grastate.dat")
    try:
        state = dict(_LINE.findall(opener.text(path, opener.SMALL)))
    except FileNotFoundError:
        return {"there": False, "uuid": "", "seqno": -1, "safe": False, "recovered": ""}
    seqno = state.get("seqno", "")
    known = int(seqno) if re.fullmatch(r"-?\d+", seqno) else -1
    return {
        "there": True,
        "uuid": state.get("uuid", ""),
        "seqno": known,
        "safe": state.get("safe_to_bootstrap") == "1",
        "recovered": _recovered(query, context) if known < 0 else "",
    }


def _recovered(query: dict[str, Any], context: Context) -> str:
    code, output = context.docker.run_once(
        query["image"], query["argv"], query["binds"], timeout=query["timeout"]
    )
    match = _RECOVERED.search(output)
    if match is None:
        last = output.strip().splitlines()[-1:] or [f"it ended with {code}"]
        raise AgentError(f"the server does not find its position: {last[0][:200]}")
    return f"{match[1]}:{match[2]}"
