"""Kernel settings, systemd units and swap."""

from __future__ import annotations

from keybuzz.agent.guard import opener
from keybuzz.agent.readings.units import unit
from keybuzz.agent.runtime.atomic import replace
from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError, proposed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_FSTAB = "/etc/fstab"


def read_operating_system(query: Query, context: Context) -> State:
    """Read ID and VERSION_ID of os-release."""
    lines = opener.text("/etc/os-release", opener.SMALL, final=True).splitlines()
    fields = dict(line.rstrip().split("=", 1) for line in lines if "=" in line)
    release = f"{fields.get('ID', '?')} {fields.get('VERSION_ID', '?')}".replace('"', "")
    return {"present": True, "attributes": {"release": release}}


def write_operating_system(order: Query, context: Context) -> None:
    """Refuse: kbz installs no operating system."""
    raise AgentError("another release must be installed", "reinstall the server", outcome="refused")


def _sysctl_path(key: str) -> str:
    return "/proc/sys/" + key.replace(".", "/")


def read_sysctl(query: Query, context: Context) -> State:
    """Read the value that the kernel uses now; blanks between numbers are one space."""
    with open(_sysctl_path(query["name"]), encoding="ascii") as file:
        return {"present": True, "attributes": {"value": " ".join(file.read().split())}}


def write_sysctl(order: Query, context: Context) -> None:
    """Set the value of the running kernel."""
    with open(_sysctl_path(order["name"]), "w", encoding="ascii") as file:
        file.write(order["value"])


def read_service(query: Query, context: Context) -> State:
    """Read whether a unit is enabled and active."""
    answers = unit(query["name"], context)
    if answers.get("LoadState") != "loaded":
        return {"present": False, "attributes": {}}
    return {
        "present": True,
        "attributes": {
            "enabled": answers.get("UnitFileState") in {"enabled", "static", "alias", "indirect"},
            "running": answers.get("ActiveState") in {"active", "reloading", "activating"},
        },
    }


def write_service(order: Query, context: Context) -> None:
    """Enable or disable, start or stop, and wait until systemd says so."""
    unit = order["name"]
    verbs = ["enable" if order["enabled"] else "disable", "start" if order["running"] else "stop"]
    if order["running"]:
        run_child(["systemctl", "reset-failed", unit], timeout=10)
    for verb in verbs:
        done = run_child(["systemctl", verb, unit], timeout=120)
        if done.exit_code != 0:
            reason = done.stderr.decode(errors="replace").strip().splitlines()[-2:]
            raise AgentError(
                f"systemctl {verb} {unit} failed: {' | '.join(reason)}",
                proposed("journalctl", "-u", unit),
            )


def _fstab() -> list[str]:
    try:
        return opener.text(_FSTAB, opener.SMALL, final=True).splitlines()
    except FileNotFoundError:
        return []


def _is_swap(line: str) -> bool:
    fields = line.split()
    return len(fields) >= 3 and not fields[0].startswith("#") and fields[2] == "swap"


def read_swap(query: Query, context: Context) -> State:
    """List swap in use and swap lines of fstab."""
    with open("/proc/swaps", encoding="utf-8") as file:
        active = [line.split()[0] for line in file.read().splitlines()[1:]]
    lines = [line.split()[0] for line in _fstab() if _is_swap(line)]
    return {"present": True, "attributes": {"active": active, "in_fstab": lines}}


def write_swap(order: Query, context: Context) -> None:
    """Turn swap off and comment out its fstab lines, found by their type field."""
    lines = _fstab()
    if any(_is_swap(line) for line in lines):
        text = "".join(f"{'# kbz: ' if _is_swap(line) else ''}{line}\n" for line in lines)
        replace(_FSTAB, text.encode())
    done = run_child(["swapoff", "-a"], timeout=300)
    if done.exit_code != 0:
        raise AgentError(f"swapoff failed: {done.stderr.decode(errors='replace').strip()}", "")
