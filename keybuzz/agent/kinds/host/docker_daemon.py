"""The running Docker Engine, and whether it has read its daemon.json."""

from __future__ import annotations

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.docker import DockerUnavailableError
from keybuzz.agent.wire.pattern import Pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_CONFIGURATION = "/etc/docker/daemon.json"
_PID = "/run/docker.pid"
_ROOT = "/var/lib/docker"
_ROOT_OPTIONS = ("--data-root", "-g", "--graph")
_REMAPPED = Pattern(r"^\d+\.\d+$")
"""The last part of the folder where user namespaces are mapped."""
_MOST = 1 << 16
"""Bytes of a command line that are read."""


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
            **_elsewhere(info.get("DockerRootDir", ""), context),
        },
    }


def _in_containerd(info: dict[str, Any], context: Context) -> list[str]:
    """Return the names of the containers, where the engine keeps them in containerd's store; else none.

    An engine that is switched to a storage driver of its own does not show them any more.
    """
    status = dict(pair for pair in info.get("DriverStatus") or [] if len(pair) == 2)
    if "containerd" not in status.get("driver-type", ""):
        return []
    return _names(context)


def _names(context: Context) -> list[str]:
    listed = context.docker.get("/containers/json?all=1") or []
    return sorted(min(item["Names"], key=len).lstrip("/") for item in listed)


def _elsewhere(root: str, context: Context) -> dict[str, Any]:
    """Return where the engine keeps its data and the names of its containers, where only daemon.json says so.

    The described daemon.json has neither data-root nor userns-remap, so that both end with the next restart. What
    dockerd's command line says stays.
    """
    words = _command_line()
    folder, _, last = root.rpartition("/")
    remapped = bool(_REMAPPED.match(last))
    kept = _same(folder if remapped else root, _option(words, _ROOT_OPTIONS) or _ROOT)
    if not root or (kept and (not remapped or _option(words, ("--userns-remap",)))):
        return {}
    return {"root": root, "in_root": _names(context)}


def _command_line() -> list[str]:
    """Return the words that the engine was started with; none when they cannot be told."""
    try:
        process = opener.text(_PID, opener.SMALL).strip()
        if not process.isdigit():
            return []
        with open(f"/proc/{process}/cmdline", "rb") as file:
            return file.read(_MOST).decode(errors="replace").split("\0")
    except OSError:
        return []


def _option(words: list[str], names: tuple[str, ...]) -> str:
    """Return the value of the last option of these names, as `--name value` or `--name=value`."""
    found = ""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        name, is_one, value = word.partition("=")
        if name in names:
            found = value if is_one else after
    return found


def _same(one: str, other: str) -> bool:
    """Return whether two paths are one folder, by links too."""
    if one.rstrip("/") == other.rstrip("/"):
        return True
    try:
        with opener.place(one, final=True) as first, opener.place(other, final=True) as second:
            left, right = first.status(), second.status()
    except (OSError, AgentError):
        return False
    return (left.st_dev, left.st_ino) == (right.st_dev, right.st_ino)


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
