"""flannel's network, for real: a bridge for the pods, a VXLAN over the interface of `flannel-iface`, routes."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
from typing import Any

from k3s_stand_in.config import FatalError, say

VXLAN, BRIDGE = "flannel.1", "cni0"
_SIOCGIFADDR = 0x8915
_SIOCGIFHWADDR = 0x8927


def address_of(interface: str) -> str:
    """Return the IPv4 address of an interface, or "" when there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("256s", interface.encode()[:15])
        try:
            answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
        except OSError:
            return ""
    return socket.inet_ntoa(answer[20:24])


def _hardware_address(interface: str) -> str:
    """Ask the kernel: in a container /sys may show the interfaces of another network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("256s", interface.encode()[:15])
        answer = fcntl.ioctl(probe.fileno(), _SIOCGIFHWADDR, request)
    return ":".join(f"{byte:02x}" for byte in answer[18:24])


def default_interface() -> str:
    """Return what carries the default route: flannel's choice when nobody names another."""
    with open("/proc/net/route", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    for row in rows:
        if row[1] == "00000000":
            return row[0]
    raise FatalError("flannel exited: failed to find the interface: no default route")


def ip(*words: str, needed: bool = True) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0 and needed:
        raise FatalError(f"ip {' '.join(words)}: {done.stderr.strip()}")


class Network:
    def __init__(self, interface: str) -> None:
        self.interface = interface or default_interface()
        self.public_ip = address_of(self.interface)
        if not self.public_ip:
            raise FatalError(f"flannel exited: failed to find interface {self.interface}")
        self._known: dict[str, str] = {}

    def up(self, cidr: str) -> str:
        """Make bridge and VXLAN; return the VXLAN's hardware address."""
        base = cidr.rsplit(".", 1)[0]
        with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as file:
            file.write("1")
        ip("link", "del", VXLAN, needed=False)
        how = ("id", "1", "dev", self.interface, "local", self.public_ip, "dstport", "8472")
        ip("link", "add", VXLAN, "type", "vxlan", *how, "nolearning")
        ip("addr", "add", f"{base}.0/32", "dev", VXLAN)
        ip("link", "set", VXLAN, "up")
        ip("link", "add", BRIDGE, "type", "bridge", needed=False)
        ip("addr", "replace", f"{base}.1/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        self._known = {}
        return _hardware_address(VXLAN)

    def meet(self, nodes: list[dict[str, Any]]) -> None:
        """Lead to the pods of the other nodes; one that was replaced is led to anew."""
        for node in nodes:
            base = node["cidr"].rsplit(".", 1)[0]
            mark = f"{node['mac']} {node['public_ip']}"
            if self._known.get(base) == mark:
                continue
            try:
                ip("neigh", "replace", f"{base}.0", "lladdr", node["mac"], "dev", VXLAN)
                done = subprocess.run(
                    [
                        "bridge",
                        "fdb",
                        "replace",
                        node["mac"],
                        "dev",
                        VXLAN,
                        "dst",
                        node["public_ip"],
                    ],
                    capture_output=True,
                    check=False,
                )
                if done.returncode != 0:
                    raise FatalError("bridge fdb failed")
                ip("route", "replace", f"{base}.0/24", "via", f"{base}.0", "dev", VXLAN, "onlink")
            except FatalError as error:
                say("error", str(error))
                continue
            self._known[base] = mark

    def pod(self, namespace: str, address: str) -> None:
        """Make the network of one pod: a namespace with a cable to the bridge."""
        if os.path.exists(f"/run/netns/{namespace}"):
            return
        cable = f"veth{namespace[-8:]}"
        base = address.rsplit(".", 1)[0]
        ip("netns", "add", namespace)
        ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        ip("link", "set", cable, "master", BRIDGE, "up")
        ip("-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
        ip("-n", namespace, "link", "set", "eth0", "up")
        ip("-n", namespace, "link", "set", "lo", "up")
        ip("-n", namespace, "route", "add", "default", "via", f"{base}.1")

    def remove_pod(self, namespace: str) -> None:
        ip("netns", "del", namespace, needed=False)
