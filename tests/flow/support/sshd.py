"""A real OpenSSH server on loopback for the tests: own keys, own configuration, a random port."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SSHD = Path("/usr/sbin/sshd")
CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
MaxSessions 4
MaxStartups 100
AllowTcpForwarding {forwarding}
X11Forwarding no
UseDNS no
{more}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running sshd, its client key, and a file that pins its host key."""

    folder: Path
    port: int
    pid: int

    @property
    def key(self) -> Path:
        """Private key that may log in."""
        return self.folder / "client_key"

    @property
    def known_hosts(self) -> Path:
        """Pins this server's key."""
        return self.folder / "known_hosts"

    def pin(self, path: Path, key: Path) -> Path:
        """Write a known_hosts file that pins `key` (its public half) for this server."""
        kind, blob = key.with_suffix(".pub").read_text().split()[:2]
        path.write_text(f"# kept as it is\n[127.0.0.1]:{self.port} {kind} {blob}\n")
        return path


@contextmanager
def running(folder: Path, *, forwarding: str = "no", more: str = "") -> Iterator[Server]:
    """Run a server until the block ends, and all its sessions with it; `more` are lines of its configuration."""
    Path("/run/sshd").mkdir(exist_ok=True)  # its privilege separation folder, absent in containers
    for name in ("host_key", "client_key"):
        if not (folder / name).exists():
            make_key(folder / name)
    (folder / "authorized_keys").write_text((folder / "client_key.pub").read_text())
    port = free_port()
    config = folder / "sshd_config"
    config.write_text(CONFIG.format(port=port, folder=folder, forwarding=forwarding, more=more))
    with (folder / "sshd.log").open("w") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=log)
    server = Server(folder, port, process.pid)
    server.pin(server.known_hosts, folder / "host_key")
    try:
        until(lambda: _accepts(port), f"sshd on port {port}")
        yield server
    finally:
        for pid in descendants(process.pid):
            with suppress(ProcessLookupError):  # a session may end between the look and the signal
                os.kill(pid, 9)
        process.terminate()
        process.wait(10)


def make_key(path: Path) -> Path:
    """Make an Ed25519 key pair without passphrase."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path], check=True
    )
    return path


def free_port() -> int:
    """Return a TCP port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], object], what: str, seconds: float = 15.0) -> None:
    """Poll until the condition holds; AssertionError with `what` after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still waiting for {what} after {seconds:g} s"
        time.sleep(0.01)


def running_with(mark: str) -> list[int]:
    """Return the pids of live processes whose command line holds `mark`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and mark.encode() in _read(entry / "cmdline"):
            found.append(int(entry.name))
    return found


def parent_of(pid: int) -> int:
    """Return the parent's pid; 0 when the process is gone."""
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def descendants(pid: int) -> list[int]:
    """Return the pids of all processes below one."""
    parents = {
        int(entry.name): parent_of(int(entry.name))
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal()
    }
    found, todo = [], [pid]
    while todo:
        above = todo.pop()
        below = [child for child, parent in parents.items() if parent == above]
        found += below
        todo += below
    return found


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
