"""Start, find and stop one lab host: a systemd-nspawn container with its disk and network."""

from __future__ import annotations

from pathlib import Path

from keybuzz.lab.hosts import base, fence
from keybuzz.lab.hosts.cgroup import ControlGroup, control_group
from keybuzz.lab.hosts.disk import Disk
from keybuzz.lab.hosts.process import launch, run
from keybuzz.lab.layout import HostPlaces
from keybuzz.lab.network import network
from keybuzz.model.core.errors import KbzError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.model.inventory.server import Server

_KEEPER = Path(__file__).with_name("keeper.sh")
_PROPAGATE = Path("/run/systemd/nspawn/propagate")
_SHUTDOWN_SECONDS = 30
_SUPERVISOR = "machine/supervisor"
_INIT = "machine/payload/init.scope"

# Without the first, Docker sees a read-only version 1 hierarchy; without the second, sysctl fails.
_NSPAWN_ENVIRONMENT = {
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1",
}


def group(settings: LabSettings, host: str) -> ControlGroup:
    """Return the control group that holds all processes of a host."""
    return control_group(settings.name, host)


def running(settings: LabSettings, host: str) -> bool:
    """Return whether both the host's init and its container's supervisor live."""
    supervised = bool(group(settings, host).members(_SUPERVISOR))
    return supervised and leader(settings, host) is not None


def leader(settings: LabSettings, host: str) -> int | None:
    """Return the process id, on this machine, of the host's init; None when it does not run.

    What init has just cloned is in its group, too, for a moment, and may have a smaller id: ids begin again at the end.
    """
    members = group(settings, host).members(_INIT)
    return next((pid for pid in members if _is_init(pid)), None)


def _is_init(pid: int) -> bool:
    """Return whether a process is the first one of its own process namespace."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:  # it has ended
        return False
    (ids,) = (line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
    return len(ids) > 1 and ids[-1] == "1"


def start(settings: LabSettings, server: Server, disk: Disk) -> None:
    """Start a host that does not run; returns at once, while it boots.

    What a crash left of its last life (processes, namespace, cable) is removed first. The started
    processes belong to no terminal and no session of ours: they outlive this program.
    """
    processes = group(settings, server.name)
    processes.kill()
    network.connect(settings, server)
    places = HostPlaces(settings, server.name)
    machine_files = processes.create()
    launch(
        [
            *("unshare", "--mount", "--propagation", "slave", "sh", _KEEPER),
            *keeper_arguments(places, base.folder(settings.cache, disk.base), machine_files),
        ],
        group=processes.path / "keeper",
        log=places.console,
        environment=_NSPAWN_ENVIRONMENT,
    )


def keeper_arguments(places: HostPlaces, lower: Path, groups: tuple[Path, ...]) -> list[str]:
    """Return what keeper.sh is told: network, disk, root, layers, groups, and how to call nspawn."""
    layers = f"lowerdir={lower},upperdir={places.upper},workdir={places.work}"
    container = [
        "systemd-nspawn",
        f"--directory={places.mountpoint}",
        f"--machine={places.machine}",
        f"--hostname={places.name}",
        *("--register=no", "--keep-unit", "--boot", "--console=passive"),
        # A host may do what a server may, but this machine's clock is not its own.
        *("--capability=all", "--drop-capability=CAP_SYS_TIME"),
        "--system-call-filter=add_key keyctl bpf",
        f"--network-namespace-path={places.namespace}",
        f"--bind={places.docker}:/var/lib/docker",
        *("--link-journal=no", "--resolv-conf=off", "--timezone=off"),
    ]
    procs = [str(path) for path in groups]
    mounts = [str(places.image), str(places.volume), str(places.mountpoint), layers]
    return [str(places.namespace), *mounts, *procs, "--", *container]


def stop(settings: LabSettings, host: str) -> None:
    """Shut a host down in order; what does not end within 30 s is killed."""
    processes = group(settings, host)
    for pid in processes.members(_SUPERVISOR):
        run(["kill", "-TERM", str(pid)])
    if running(settings, host):
        processes.wait_empty(_SHUTDOWN_SECONDS)
    kill(settings, host)


def kill(settings: LabSettings, host: str) -> None:
    """End all processes of a host at once, as pulling the plug does."""
    group(settings, host).kill()


def clear(settings: LabSettings, host: str) -> None:
    """Remove what a host that does not run left on this machine, but for its disk."""
    group(settings, host).remove()
    network.disconnect(settings, host)
    # nspawn leaves this empty folder when it is killed.
    folder = _PROPAGATE / HostPlaces(settings, host).machine
    if folder.is_dir():
        folder.rmdir()


def entry(settings: LabSettings, host: str) -> list[str]:
    """Return the words that, before a command, run it inside the host; needs no working sshd.

    It cannot reach the clock and the kernel of this machine.
    """
    pid = leader(settings, host)
    if pid is None:
        raise KbzError(
            "this lab host does not run",
            where=host,
            hint=proposed("kbz", "lab", "up", "--limit", host),
        )
    environment = (
        *("env", "-i", "HOME=/root", "TERM=xterm", "LANG=C.UTF-8"),
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    )
    inside = ["nsenter", f"--target={pid}", "--all", "--root", "--wd", "--", *environment]
    return [*fence.without_capabilities(), *inside, *fence.without_settings()]
