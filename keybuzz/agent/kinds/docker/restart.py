"""Restarts of containers and of the host: done when what runs is not what was seen before."""

from __future__ import annotations

from keybuzz.agent.runtime.children import run
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.docker import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

BOOT_ID = "/proc/sys/kernel/random/boot_id"
_REBOOT = ["systemd-run", "--on-active=1s", "--collect", "systemctl", "reboot"]


def read_container_restart(query: Query, context: Context) -> State:
    """Say when the container started, and whether that is another moment than the one seen."""
    found = context.docker.inspect(query["name"])
    if found is None:
        raise AgentError(f"there is no container {query['name']}")
    state = found["State"]
    running = bool(state["Running"])
    restarted = running and state["StartedAt"] != query["seen"]
    attributes = {"started": state["StartedAt"], "running": running, "restarted": restarted}
    return {"present": True, "attributes": attributes}


def write_container_restart(order: Query, context: Context) -> None:
    """Restart it: TERM, its own time to end, then start; the container itself stays the same."""
    patience = int(order["stop_timeout"])
    path = f"/containers/{quote(order['name'])}/restart?t={patience}"
    context.docker.act("POST", path, timeout=patience + 60.0)


def read_reboot(query: Query, context: Context) -> State:
    """Say which boot this is, and whether it is another than the one seen."""
    with open(BOOT_ID, encoding="ascii") as file:
        boot = file.read().strip()
    attributes = {"started": boot, "running": True, "restarted": boot != query["seen"]}
    return {"present": True, "attributes": attributes}


def write_reboot(order: Query, context: Context) -> None:
    """Reboot in a second: the answer to this order leaves before the connection goes."""
    done = run(_REBOOT, timeout=15.0)
    if done.exit_code != 0:
        text = done.stderr.decode(errors="replace").strip()
        raise AgentError(f"systemd did not take the order to reboot: {text}", "look at its console")


def read_service_restart(query: Query, context: Context) -> State:
    """Say which start of the unit runs, and whether that is another than the one seen."""
    del context
    asked = ["systemctl", "show", "--property=ActiveState,InvocationID", query["name"]]
    lines = run(asked, timeout=10.0).stdout.decode(errors="replace").splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    started, running = found.get("InvocationID", ""), found.get("ActiveState") == "active"
    restarted = running and started != query["seen"]
    attributes = {"started": started, "running": running, "restarted": restarted}
    return {"present": True, "attributes": attributes}


def write_service_restart(order: Query, context: Context) -> None:
    """Restart it; the gate waits until it serves."""
    del context
    done = run(["systemctl", "--no-block", "restart", order["name"]], timeout=60.0)
    if done.exit_code != 0:
        text = done.stderr.decode(errors="replace").strip()
        raise AgentError(f"systemctl restart {order['name']} failed: {text}", "systemctl status")
