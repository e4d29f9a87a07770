"""Who reaches this host from outside now, so that a firewall that is about to close can say whom it would shut out."""

from __future__ import annotations

import os

from keybuzz.agent.readings import tcp_ports, udp_ports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network, IPv6Network

_SSH = 22
_MOST = 20
"""Clients that are named."""
_SESSION = b"SSH_CONNECTION="
_WILDCARDS = ("0.0.0.0", "*")
_OURS = ("127.", "10.")
"""How addresses begin that no other network reaches."""


def shut_out(networks: Iterable[str]) -> list[str]:
    """Return the addresses of people who are logged in over SSH, and come from none of these networks.

    A connection that only knocks at the port is no login: public servers have some at any time. A login is a process
    that knows where its session comes from, also where it is our own (install-01, without SSH in between).
    """
    from ipaddress import ip_network

    allowed = [ip_network(network) for network in networks]
    outside = {peer for peer in _logged_in() if _is_outside(peer, allowed)}
    return sorted(outside & tcp_ports.peers(_SSH)) if outside else []


def served(known: Iterable[str]) -> list[str]:
    """Return `25/tcp (program)` of everything that serves any address, but on these ports."""
    explained = set(known)
    found: dict[tuple[int, str], str] = {}
    for protocol, sockets in (("tcp", tcp_ports.listeners()), ("udp", udp_ports.servers())):
        for address, port, inode in sockets:
            if f"{port}/{protocol}" not in explained and _is_public(address):
                found[port, protocol] = inode
    names = {udp_ports.KERNEL: "the kernel"}
    if found:
        from keybuzz.agent.readings.strays import programs  # with what it needs: half of drift

        names.update(programs(set(found.values()) - names.keys()))
    return [
        f"{port}/{protocol} ({names.get(inode) or 'not known'})"
        for (port, protocol), inode in sorted(found.items())
    ]


def clients(closing: Iterable[str], networks: Iterable[str]) -> list[str]:
    """Return `5432/tcp from ADDRESS` of who is connected now to one of these, as `served` names them, from outside.

    Those of the public that only look what is open are among them: the host cannot tell them from clients.
    """
    from ipaddress import ip_network

    allowed = [ip_network(network) for network in networks]
    words = (item.partition("/") for item in closing)
    ports = {int(port) for port, _, rest in words if rest.startswith("tcp")}
    found = tcp_ports.connected(ports) if ports else set()
    said = [f"{port}/tcp from {peer}" for port, peer in sorted(found) if _is_outside(peer, allowed)]
    return [*said[:_MOST], f"{len(said) - _MOST} more"] if len(said) > _MOST else said


def _is_outside(peer: str, networks: list[IPv4Network | IPv6Network]) -> bool:
    from ipaddress import ip_address

    try:
        address = ip_address(peer)
    except (
        ValueError
    ):  # a process may have anything in its environment; no client connects from there
        return False
    return not address.is_loopback and all(address not in network for network in networks)


def _is_public(address: str) -> bool:
    if address in _WILDCARDS or address.startswith(_OURS):
        return address in _WILDCARDS
    from ipaddress import ip_address  # few hosts have such a one

    return ip_address(address.strip("[]")).is_global


def _logged_in() -> set[str]:
    """Return the addresses that any process's environment names as the other end of its session."""
    found: set[str] = set()
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/environ", "rb") as file:
                environment = file.read()
        except OSError:
            continue
        if _SESSION not in environment:
            continue
        variables = environment.split(b"\0")
        sessions = (v[len(_SESSION) :] for v in variables if v.startswith(_SESSION))
        found.update(s.decode("ascii", "replace").partition(" ")[0] for s in sessions if s)
    return found
