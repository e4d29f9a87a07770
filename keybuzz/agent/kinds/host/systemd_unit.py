"""Units of ours: the file below /etc/systemd/system, and what systemd makes of it."""

from __future__ import annotations

import os

from keybuzz.agent.guard import opener
from keybuzz.agent.readings.units import unit
from keybuzz.agent.runtime.atomic import replace
from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_FOLDER = "/etc/systemd/system"


def _path(unit: str) -> str:
    return os.path.join(_FOLDER, unit)


def read_systemd_unit(query: Query, context: Context) -> State:
    """Read the digest of its file, and whether systemd has read it, starts it at boot and runs it now."""
    path = _path(query["name"])
    if not opener.is_file(path):
        return {"present": False, "attributes": {}}
    content = opener.read(path, opener.SMALL)
    found = unit(query["name"], context)
    return {
        "present": True,
        "attributes": {
            "digest": context.digest(content, False),
            "loaded": found.get("NeedDaemonReload") == "no",
            "enabled": found.get("UnitFileState") == "enabled",
            "running": found.get("ActiveState") == "active",
            "state": found.get("ActiveState", ""),
        },
    }


def write_systemd_unit(order: Query, context: Context) -> None:
    """Put the file in place, let systemd read it, and start the unit anew; one that only lay still is started."""
    unit = order["name"]
    before = read_systemd_unit(order, context)["attributes"]
    replace(_path(unit), order["text"].encode())
    now = context.digest(order["text"].encode(), False)
    same = before.get("digest") == now and before.get("loaded") is True
    _systemctl("daemon-reload")
    _systemctl("reset-failed", unit, needed=False)
    _systemctl("enable", unit)
    # A server of a cluster is up when the others say so: its gate waits for that, and not systemd.
    waiting = [] if order.get("wait", True) else ["--no-block"]
    _systemctl(*waiting, "start" if same else "restart", unit)


def _systemctl(*words: str, needed: bool = True) -> None:
    done = run_child(["systemctl", *words], timeout=60)
    if done.exit_code != 0 and needed:
        reason = done.stderr.decode(errors="replace").strip().splitlines()[-2:]
        raise AgentError(
            f"systemctl {' '.join(words)} failed: {' | '.join(reason)}", "systemctl status"
        )
