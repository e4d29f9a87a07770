"""The running Docker Engine, and whether it has read its daemon.json."""

from __future__ import annotations

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.docker import DockerUnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_CONFIGURATION = "/etc/docker/daemon.json"
_PID = "/run/docker.pid"


def read_docker_daemon(query: Query, context: Context) -> State:
    """Read what `docker info` says. A stopped engine is a state, not a problem."""
    try:
        info = context.docker.get("/info")
    except DockerUnavailableError as error:
        return {"present": True, "attributes": {"running": False, "why": error.what}}
    return {
        "present": True,
        "attributes": {
            "running": True,
            "log_driver": info["LoggingDriver"],
            "storage_driver": info["Driver"],
            "cgroup_driver": info["CgroupDriver"],
            "configuration_loaded": _has_read(query.get("configuration", ""), context),
            "containers_running": info["ContainersRunning"],
            "version": info["ServerVersion"],
            "in_containerd": _in_containerd(info, context),
        },
    }


def _in_containerd(info: dict[str, Any], context: Context) -> list[str]:
    """Return the names of the containers, where the engine keeps them in containerd's store; else none.

    An engine that is switched to a storage driver of its own does not show them any more.
    """
    status = dict(pair for pair in info.get("DriverStatus") or [] if len(pair) == 2)
    if "containerd" not in status.get("driver-type", ""):
        return []
    listed = context.docker.get("/containers/json?all=1") or []
    return sorted(min(item["Names"], key=len).lstrip("/") for item in listed)


def _has_read(digest: str, context: Context) -> bool:
    """Return whether the engine has read the daemon.json that is there, and it is the one of this digest, if any."""
    try:
        if digest and context.digest(opener.read(_CONFIGURATION, opener.SMALL), False) != digest:
            return False
        return opener.status(_PID).st_mtime >= opener.status(_CONFIGURATION).st_mtime
    except FileNotFoundError:
        return not digest


def write_docker_daemon(order: Query, context: Context) -> None:
    """Start or restart the engine, and wait until its socket answers."""
    for verb, unit in (
        ("reset-failed", "docker"),
        ("start", "docker.socket"),
        ("restart", "docker"),
    ):
        done = run_child(["systemctl", verb, unit], timeout=180)
        if verb == "restart" and done.exit_code != 0:
            raise AgentError(
                f"docker does not start: {done.stderr.decode(errors='replace').strip()}",
                "journalctl -u docker",
            )
    context.docker.act("GET", "/info")
