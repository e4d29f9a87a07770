"""Servers of a host's UDP ports, from the kernel's own tables: no program is started."""

from __future__ import annotations

from keybuzz.agent.readings.tcp_ports import address_of, entry, lines

_TABLES = ("/proc/net/udp", "/proc/net/udp6")
_UNCONNECTED = "07"
_RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
KERNEL = "0"
"""The inode of a socket that the kernel itself holds: WireGuard, VXLAN."""


def servers(
    tables: tuple[str, ...] = _TABLES, ephemeral: str = _RANGE
) -> list[tuple[str, int, str]]:
    """Return address, port and inode of every socket that takes datagrams of any sender.

    A program that asks others, such as a resolver, has such a socket too, on a port of the range that the kernel
    takes from: what a program holds there is no server. WireGuard's port often lies in it, and is the kernel's own.
    """
    with open(ephemeral, encoding="ascii") as file:
        lowest, highest = map(int, file.read().split())
    found = []
    for line in lines(tables):
        address, port, state = entry(line)
        inode = line.split()[9]
        client = inode != KERNEL and lowest <= int(port) <= highest
        if state == _UNCONNECTED and not client:
            found.append((address_of(address), int(port), inode))
    return found
