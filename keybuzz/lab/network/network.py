"""The isolated network of a lab: one bridge in the controller's namespace, one cable for each host.

Nothing here is connected to this machine's own network, so there is no way out and no way in.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from keybuzz.lab.hosts.process import run
from keybuzz.lab.layout import (
    CONTROLLER,
    NAME_SERVERS,
    NAMESPACES,
    NETWORK,
    HostPlaces,
    hardware_address,
)
from keybuzz.lab.network.namespace import is_namespace
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.model.inventory.server import Server, VirtualAddress

Endpoint = Server | VirtualAddress
"""What has a name, an address, and a cable to the bridge."""
BRIDGE = "lab0"


def bridge_commands() -> tuple[str, ...]:
    """Return what `ip -batch` runs once in a new controller namespace.

    The bridge has a fixed hardware address: otherwise it changes as hosts come and go, and the
    hosts lose the controller until their ARP entry expires.
    """
    return (
        "link set lo up",
        f"link add {BRIDGE} address {hardware_address(CONTROLLER)} type bridge forward_delay 0",
        f"address add {CONTROLLER}/{NETWORK.prefixlen} dev {BRIDGE}",
        f"link set {BRIDGE} up",
    )


def port_commands(port: str, namespace: str) -> tuple[str, ...]:
    """Return what `ip -batch` runs in the controller's namespace to lay a host's cable."""
    return (
        f"link add {port} type veth peer name eth0 netns {namespace}",
        f"link set {port} master {BRIDGE} up",
    )


def host_commands(server: Endpoint) -> tuple[str, ...]:
    """Return what `ip -batch` runs in the host's namespace: its address, and no route out but to name servers."""
    return (
        "link set lo up",
        f"link set eth0 address {hardware_address(server.address)}",
        f"address add {server.address}/{NETWORK.prefixlen} dev eth0",
        "link set eth0 up",
        *(f"route add {address}/32 dev eth0" for address in NAME_SERVERS),
    )


def ensure_bridge(settings: LabSettings) -> None:
    """Make sure that the controller's namespace exists and has its bridge."""
    namespace = NAMESPACES / settings.name
    if is_namespace(namespace) and BRIDGE in _interfaces(settings.name):
        return
    _renew_namespace(namespace)
    _batch(settings.name, bridge_commands())


def connect(settings: LabSettings, server: Endpoint) -> None:
    """Give a host that does not run a fresh namespace and cable: what a crash left is replaced."""
    places = HostPlaces(settings, server.name)
    disconnect(settings, server.name)
    _renew_namespace(places.namespace)
    _batch(settings.name, port_commands(places.port, places.machine))
    _batch(places.machine, host_commands(server))


def is_connected(settings: LabSettings, host: str) -> bool:
    """Return whether a host has its namespace, and a cable to the bridge."""
    places = HostPlaces(settings, host)
    return (
        is_namespace(places.namespace)
        and is_namespace(NAMESPACES / settings.name)
        and places.port in _interfaces(settings.name)
    )


def disconnect(settings: LabSettings, host: str) -> None:
    """Remove a host's cable and namespace; nothing to do when they are gone."""
    places = HostPlaces(settings, host)
    if is_namespace(NAMESPACES / settings.name) and places.port in _interfaces(settings.name):
        run(["ip", "-n", settings.name, "link", "delete", places.port])
    _remove_namespace(places.namespace)


def remove_bridge(settings: LabSettings) -> None:
    """Remove the controller's namespace with its bridge."""
    _remove_namespace(NAMESPACES / settings.name)


def set_cable(settings: LabSettings, host: str, state: str) -> None:
    """Set the bridge's end of a host's cable `up` or `down`; the host sees its carrier go."""
    places = HostPlaces(settings, host)
    run(["ip", "-n", settings.name, "link", "set", places.port, state])


def cut_hosts(settings: LabSettings) -> frozenset[str]:
    """Return the bridge ports whose cable is cut."""
    told = json.loads(run(["ip", "-n", settings.name, "-json", "link", "show"]))
    return frozenset(link["ifname"] for link in told if "UP" not in link["flags"])


def _interfaces(namespace: str) -> frozenset[str]:
    told = json.loads(run(["ip", "-n", namespace, "-json", "link", "show"]))
    return frozenset(link["ifname"] for link in told)


def _renew_namespace(namespace: Path) -> None:
    _remove_namespace(namespace)
    run(["ip", "netns", "add", namespace.name])


def _remove_namespace(namespace: Path) -> None:
    if is_namespace(namespace):
        run(["ip", "netns", "delete", namespace.name])
    else:
        # A crash between the two steps of `ip netns add` leaves a plain file.
        namespace.unlink(missing_ok=True)


def _batch(namespace: str, commands: Sequence[str]) -> None:
    run(["ip", "-n", namespace, "-batch", "-"], feed="\n".join(commands) + "\n")
