"""What the hosts of a lab are doing, read from the kernel and from the hosts themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from keybuzz.lab.hosts import disk, host, readiness
from keybuzz.lab.layout import HostPlaces
from keybuzz.lab.network import namespace, network
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.model.inventory.server import Server

_ASK_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One host, now."""

    name: str
    address: IPv4Address
    state: str
    """systemd's word (running, degraded, starting …), `off`, or `none`: it has no disk yet."""
    ssh: bool
    cable: bool
    processes: int
    memory: int
    """Bytes, shared pages divided among their users."""


def status(settings: LabSettings, servers: Sequence[Server]) -> tuple[HostStatus, ...]:
    """Return a row for each server, in their order. Changes nothing."""
    cut = network.cut_hosts(settings) if namespace.exists(settings) else frozenset()
    with ThreadPoolExecutor(max_workers=_ASK_AT_ONCE) as pool:
        return tuple(pool.map(lambda server: _status(settings, server, cut), servers))


def _status(settings: LabSettings, server: Server, cut: frozenset[str]) -> HostStatus:
    name = server.name
    if not host.running(settings, name):
        state = "off" if disk.read(settings, name) else "none"
        return HostStatus(
            name, server.address, state, ssh=False, cable=False, processes=0, memory=0
        )
    members = host.group(settings, name).all_members()
    return HostStatus(
        name,
        server.address,
        readiness.boot_state(settings, name),
        ssh=readiness.answers_ssh(settings, server),
        cable=HostPlaces(settings, name).port not in cut,
        processes=len(members),
        memory=_memory(members),
    )


def _memory(processes: Iterable[int]) -> int:
    return sum(_proportional_bytes(pid) for pid in processes)


def _proportional_bytes(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        # It ended since it was listed.
        return 0
    return proportional_bytes(text)


def proportional_bytes(smaps_rollup: str) -> int:
    """Return the `Pss` of /proc/<pid>/smaps_rollup in bytes."""
    for line in smaps_rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
