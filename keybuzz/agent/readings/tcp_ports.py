"""Listeners and connections of a host's TCP ports, from the kernel's own tables: no program is started."""

from __future__ import annotations

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Tally = tuple[dict[str, set[str]], dict[str, int]]

_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_ESTABLISHED, _LISTEN = "01", "0A"


def tally(tables: tuple[str, ...] = _TABLES) -> Tally:
    """Return who listens on every port, and how many connections came in on it.

    The kernel walks all sockets of the machine for each table that is read, however few are there: some milliseconds.
    """
    listeners: dict[str, set[str]] = {}
    connections: dict[str, int] = {}
    for line in lines(tables):
        address, port, state = entry(line)
        if state == _LISTEN:
            listeners.setdefault(port, set()).add(f"{address_of(address)}:{port}")
        elif state == _ESTABLISHED:
            connections[port] = connections.get(port, 0) + 1
    return listeners, connections


def find_ports(query: dict[str, Any], tallied: Tally) -> dict[str, object]:
    """Return who listens on these ports, and how many connections came in on each."""
    listeners, connections = tallied
    ports = [str(port) for port in query["ports"]]
    return {
        "listeners": sorted(set().union(*(listeners.get(port, ()) for port in ports))),
        "connections": {port: connections.get(port, 0) for port in ports},
    }


def listeners(tables: tuple[str, ...] = _TABLES) -> list[tuple[str, int, str]]:
    """Return address, port and inode of every socket that listens."""
    found = []
    for line in lines(tables):
        address, port, state = entry(line)
        if state == _LISTEN:
            found.append((address_of(address), int(port), line.split()[9]))
    return found


def peers(port: int, tables: tuple[str, ...] = _TABLES) -> set[str]:
    """Return the addresses at the other ends of the connections of a port of ours."""
    found = set()
    for line in lines(tables):
        _, own, state = entry(line)
        if state == _ESTABLISHED and own == str(port):
            found.add(address_of(line.split()[2].partition(":")[0]).strip("[]"))
    return found


def connected(ports: set[int], tables: tuple[str, ...] = _TABLES) -> set[tuple[int, str]]:
    """Return port of ours and address at the other end of each connection; not of this machine with itself."""
    found = set()
    for line in lines(tables):
        own, port, state = entry(line)
        other = line.split()[2].partition(":")[0]
        if state == _ESTABLISHED and int(port) in ports and other != own:
            found.add((int(port), address_of(other).strip("[]")))
    return found


def lines(tables: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of sockets in the kernel's tables, without their headings."""
    for table in tables:
        try:
            with open(table, encoding="ascii") as file:
                next(file, "")
                yield from file
        except FileNotFoundError:  # a kernel without IPv6
            continue


def entry(line: str) -> tuple[str, str, str]:
    """Return local address (as the kernel writes it), local port and state of a line."""
    _, local, _, state, *_ = line.split()
    address, _, port = local.partition(":")
    return address, str(int(port, 16)), state


def address_of(text: str) -> str:
    """Return an address: the kernel writes words of 32 bits in the machine's own order."""
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    if len(words) == 1:
        return _socket.inet_ntoa(words[0])
    packed = b"".join(words)
    if not any(packed):
        return "*"
    from ipaddress import IPv6Address  # few hosts have such a one

    address = IPv6Address(packed)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"[{address}]"
