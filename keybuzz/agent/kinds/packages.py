"""Debian packages, read from dpkg's own file and installed by apt-get."""

from __future__ import annotations

import os
import time

from keybuzz.agent.children import run as run_child
from keybuzz.agent.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.context import Context
    from keybuzz.agent.kinds import Query, State

_STATUS = "/var/lib/dpkg/status"
_LISTS = "/var/lib/apt/lists"
_DAY = 86400.0


def _installed() -> frozenset[str]:
    names = set()
    name = ""
    with open(_STATUS, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("Package: "):
                name = line[9:].strip()
            elif line.startswith("Status: ") and line.rstrip().endswith(" installed"):
                names.add(name)
    return frozenset(names)


def read_package(query: Query, context: Context) -> State:
    """Say whether dpkg has it completely installed."""
    installed = query["name"] in context.once("packages", _installed)
    return {"present": installed, "attributes": {"installed": True} if installed else {}}


def write_package(order: Query, context: Context) -> None:
    """Install one package; waits for another apt instead of failing on its lock.

    Package lists that are missing or old are fetched first. That this failed matters only when apt can not install.
    """
    complaint = context.once_in_request("apt-get update", _update_lists)
    done = run_child(
        [
            "apt-get",
            "install",
            "--yes",
            "--no-install-recommends",
            "--no-upgrade",
            "-o",
            "DPkg::Lock::Timeout=120",
            order["name"],
        ],
        timeout=600,
        env={"DEBIAN_FRONTEND": "noninteractive"},
    )
    if done.exit_code != 0:
        reason = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
        raise AgentError(
            f"apt-get could not install {order['name']}: {' | '.join([*reason, *complaint])}",
            "check the package sources of the host, then run again",
        )


def _update_lists() -> list[str]:
    """Run `apt-get update` unless the lists are of today; return its last line when it failed."""
    if _lists_are_fresh():
        return []
    # Without the error mode, apt-get ends with 0 when it has reached no source at all.
    done = run_child(["apt-get", "update", "-o", "APT::Update::Error-Mode=any"], timeout=300)
    if done.exit_code == 0:
        # The files bear the times of their server, and the directory changes only when one of them does.
        os.utime(_LISTS)
        return []
    lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
    reason = "no answer in time" if done.timed_out else lines[-1]
    return [f"apt-get update failed before: {reason}"]


def _lists_are_fresh() -> bool:
    try:
        names = os.listdir(_LISTS)
    except FileNotFoundError:
        return False
    # The lists may lie there compressed: *_Packages.lz4.
    known = any("_Packages" in name for name in names)
    return known and time.time() - os.stat(_LISTS).st_mtime < _DAY
