"""The builder: a private Docker daemon of this machine, outside of every lab's network.

One for each cache folder, shared by the labs that use the cache. It may reach package sources;
only its socket reaches it. A lab that is up holds a lease, and the last one to leave stops it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from keybuzz.lab.hosts.cgroup import ControlGroup, control_group
from keybuzz.lab.hosts.process import Argument, Report, exclusive, launch, run, succeeds
from keybuzz.model.core.errors import KbzError
from keybuzz.model.inventory.lab import LabSettings

# By path: another `docker` may come first in PATH and be the client of something else.
_CLIENT = "/usr/bin/docker"
_DAEMON = "/usr/sbin/dockerd"
_START_SECONDS = 60
_POLL_SECONDS = 0.1


def start(settings: LabSettings, report: Report) -> Path:
    """Make sure that the builder runs; return its socket (owner root, mode 0600)."""
    home = _home(settings)
    with exclusive(home / "lock"):
        if not running(settings):
            report("", "Starting the image builder.")
            _start_daemon(settings)
        (home / "leases").mkdir(exist_ok=True)
        (home / "leases" / settings.name).touch()
    settings.root.mkdir(parents=True, exist_ok=True)
    settings.builder_socket.unlink(missing_ok=True)
    settings.builder_socket.symlink_to(_socket(settings))
    return settings.builder_socket


def running(settings: LabSettings) -> bool:
    """Return whether the builder of this cache runs and answers."""
    return _group(settings).populated() and _answers(settings)


def leave(settings: LabSettings) -> None:
    """Give this lab's lease back; the builder stops with its last lease. Its images stay."""
    leases = _home(settings) / "leases"
    settings.builder_socket.unlink(missing_ok=True)
    if not _home(settings).is_dir():
        return
    with exclusive(_home(settings) / "lock"):
        (leases / settings.name).unlink(missing_ok=True)
        if leases.is_dir() and any(leases.iterdir()):
            return
        _stop_daemon(settings)


def docker(
    settings: LabSettings, words: Sequence[Argument], *, feed: str = "", seconds: float = 120
) -> str:
    """Run the Docker client against the builder, without the settings of any user."""
    return run([*client(settings), *words], feed=feed, seconds=seconds, environment=_quiet())


def has(settings: LabSettings, words: Sequence[Argument]) -> bool:
    """Return whether a Docker command succeeds on the builder."""
    return succeeds([*client(settings), *words])


def client(settings: LabSettings) -> list[str]:
    """Return the words that call the Docker client on the builder's socket."""
    config = _home(settings) / "client"
    return [_CLIENT, "--config", str(config), "--host", f"unix://{_socket(settings)}"]


def daemon_arguments(home: Path) -> list[str]:
    """Return how the daemon is called: own folders, one socket, no network of its own."""
    return [
        _DAEMON,
        *("--host", f"unix://{home / 'docker.sock'}", "--group", "root"),
        *("--data-root", str(home / "data"), "--exec-root", str(home / "run")),
        *("--pidfile", str(home / "dockerd.pid")),
        *("--bridge=none", "--iptables=false", "--ip6tables=false", "--log-level=warn"),
    ]


def _quiet() -> dict[str, str]:
    return {"DOCKER_BUILDKIT": "0"}


def _home(settings: LabSettings) -> Path:
    return settings.images / "builder"


def _socket(settings: LabSettings) -> Path:
    return _home(settings) / "docker.sock"


def _group(settings: LabSettings) -> ControlGroup:
    digest = hashlib.sha256(str(settings.images.resolve()).encode()).hexdigest()[:8]
    return control_group("kbz-builder", digest)


def _answers(settings: LabSettings) -> bool:
    return has(settings, ["version", "--format", "{{.Server.Version}}"])


def _start_daemon(settings: LabSettings) -> None:
    home, processes = _home(settings), _group(settings)
    processes.kill()
    processes.create()
    home.chmod(0o700)
    for leftover in (home / "docker.sock", home / "dockerd.pid"):
        leftover.unlink(missing_ok=True)
    # Its own mount namespace: what it mounts ends with it, however it ends.
    launch(
        ["unshare", "--mount", "--propagation", "slave", *daemon_arguments(home)],
        group=processes.path / "keeper",
        log=home / "daemon.log",
    )
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(settings):
        if time.monotonic() > deadline:
            raise KbzError(
                f"the image builder does not answer after {_START_SECONDS} s",
                where="lab",
                hint=f"read {home / 'daemon.log'}",
            )
        time.sleep(_POLL_SECONDS)
    _socket(settings).chmod(0o600)


def _stop_daemon(settings: LabSettings) -> None:
    processes = _group(settings)
    pid_file = _home(settings) / "dockerd.pid"
    if processes.populated() and pid_file.exists():
        pid = int(pid_file.read_text())
        if pid in processes.all_members():
            run(["kill", "-TERM", str(pid)])
            processes.wait_empty(20)
    processes.kill()
    processes.remove()
