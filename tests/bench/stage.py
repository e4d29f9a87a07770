"""The hosts of the benchmark: one OpenSSH server behind as many addresses as wanted, in a network of its own.

Two network namespaces and a pair of interfaces between them. So the controllers' side has none of the addresses
(kbz would take them for its own machine), and nothing that is sent to 10.0.0.0/16 leaves this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from keybuzz.lab.hosts.cgroup import unified_root
from keybuzz.lab.network.namespace import visiting

LAB = "kbz-bench"
"""Network namespace of the controllers; the hosts' one is called the same with `-hosts`."""
_HOSTS = f"{LAB}-hosts"
_FIRST = IPv4Address("10.0.4.1")
_START = 15.0
_END = 15.0
_CONFIG = """\
Port 22
ListenAddress 0.0.0.0
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/client_key.pub
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
UseDNS no
MaxSessions 10
MaxStartups 2000
LogLevel ERROR
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """The running hosts."""

    folder: Path
    addresses: tuple[str, ...]
    group: Path
    """Control group of all that runs on the hosts; `controller` beside it is for the programs that are measured."""

    @property
    def key(self) -> Path:
        """Private key that may log in, as root."""
        return self.folder / "client_key"

    @property
    def known_hosts(self) -> Path:
        """Pins the key of all addresses."""
        return self.folder / "known_hosts"

    @property
    def controller(self) -> Path:
        """Control group for the programs that are measured."""
        return self.group.with_name("controller")


@contextmanager
def stage(folder: Path, hosts: int) -> Iterator[Stage]:
    """Run the hosts until the block ends; nothing of them is left then."""
    Path("/run/sshd").mkdir(exist_ok=True)
    for name in ("host_key", "client_key"):
        _call(
            "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", f"{folder}/{name}"
        )
    (folder / "sshd_config").write_text(_CONFIG.format(folder=folder))
    addresses = tuple(str(_FIRST + number) for number in range(hosts))
    kind, blob = (folder / "host_key.pub").read_text().split()[:2]
    pins = "".join(f"{address} {kind} {blob}\n" for address in addresses)
    (folder / "known_hosts").write_text(pins)
    root = unified_root(Path("/proc/self/mounts").read_text()) / LAB
    made = Stage(folder, addresses, root / "hosts")
    _clear(made)
    for group in (root, made.group, made.controller):
        group.mkdir()
    _make_network(addresses)
    (folder / "home").mkdir()
    server = _start(made)
    try:
        _wait_for_port(addresses[-1])
        yield made
    finally:
        _clear(made)
        server.wait(10)


def _start(stage: Stage) -> subprocess.Popen[bytes]:
    """Start sshd. Its root has an empty home: start files of a shell would be measured with every program."""
    sshd = f"{shutil.which('sshd', path='/usr/sbin:/usr/bin')} -D -e -f {stage.folder}/sshd_config"
    alone = f"mount --bind {stage.folder}/home /root && exec {sshd}"
    return subprocess.Popen(within(stage.group, ["ip", "netns", "exec", _HOSTS, "sh", "-c", alone]))


def within(group: Path, words: list[str]) -> list[str]:
    """Return the words of the same command as a member of a control group."""
    return ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "enter", *words]


def cpu_seconds(group: Path) -> float:
    """Return the CPU time that all processes of a control group have used so far, living and dead."""
    fields = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(fields["usage_usec"]) / 1e6


def wire_bytes() -> int:
    """Return the bytes that have gone over the controllers' interface so far, in both directions."""
    words = ["ip", "-n", LAB, "-s", "-j", "link", "show", "dev", "hosts"]
    done = subprocess.run(words, capture_output=True, check=True)
    (link,) = json.loads(done.stdout)
    return int(link["stats64"]["rx"]["bytes"]) + int(link["stats64"]["tx"]["bytes"])


def inside(words: list[str]) -> list[str]:
    """Return the words of a command that runs on the controllers' side."""
    return ["ip", "netns", "exec", LAB, *words]


def _make_network(addresses: tuple[str, ...]) -> None:
    for name in (LAB, _HOSTS):
        _call("ip", "netns", "add", name)
        _call("ip", "-n", name, "link", "set", "lo", "up")
    _call(
        "ip",
        "-n",
        LAB,
        "link",
        "add",
        "hosts",
        "type",
        "veth",
        "peer",
        "controller",
        "netns",
        _HOSTS,
    )
    for name, device, address in (
        (LAB, "hosts", "10.0.0.1/30"),
        (_HOSTS, "controller", "10.0.0.2/30"),
    ):
        _call("ip", "-n", name, "address", "add", address, "dev", device)
        _call("ip", "-n", name, "link", "set", device, "up")
    _call("ip", "-n", LAB, "route", "add", "10.0.4.0/22", "via", "10.0.0.2")
    # On an interface and not on lo: a machine proves by them that it is the one that was meant.
    lines = "".join(f"address add {address}/32 dev controller\n" for address in addresses)
    subprocess.run(["ip", "-n", _HOSTS, "-batch", "-"], input=lines, text=True, check=True)


def _clear(stage: Stage) -> None:
    """Leave no process, group and network, of this run or of one that was killed."""
    for group in (stage.group, stage.controller):
        end_all(group)
        if group.exists():
            group.rmdir()
    if stage.group.parent.exists():
        stage.group.parent.rmdir()
    for name in (LAB, _HOSTS):
        if Path("/run/netns", name).exists():
            _call("ip", "netns", "delete", name)


def end_all(group: Path) -> None:
    """Kill every process of a group: sessions that are still open, and the masters of ControlPersist."""
    processes = group / "cgroup.procs"
    deadline = time.monotonic() + _END
    while processes.exists() and (pids := processes.read_text().split()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes of {group} do not end: {' '.join(pids)}")
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.05)


def _wait_for_port(address: str) -> None:
    deadline = time.monotonic() + _START
    with visiting(Path("/run/netns", LAB)), socket.socket() as probe:
        while probe.connect_ex((address, 22)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"sshd does not answer at {address}")
            time.sleep(0.1)


def _call(*words: str) -> None:
    subprocess.run(words, check=True)
