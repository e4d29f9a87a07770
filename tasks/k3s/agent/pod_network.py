"""Whether this host reaches the pods' network of every other node, and what lies between (facts/09).

The routes are flannel's own; each leads to one other node, whose kubelet answers on its address there as well. So the
way goes through the VXLAN, the firewall of the other node and back, and needs no pod.
"""

from __future__ import annotations

import socket
import struct
import threading

from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.runtime.context import Context

_VXLAN = "flannel.1"
_ROUTES = "/proc/net/route"
_PATIENCE = 4.0
"""Seconds for one connection; all are tried at once. Linux sends a lost SYN again after 1 and after 3 s: a node that is
just being started again may miss the first."""
_RTM_GETLINK, _NLM_F_REQUEST = 18, 1
_NLMSG_ERROR = 2
_IFLA_MTU, _IFLA_LINK = 4, 5
_HEAD, _LINK_MESSAGE = 16, 16
"""Bytes of a netlink header, and of what stands before a link's attributes."""


def answer_pod_network(query: dict[str, Any], context: Context) -> dict[str, Any]:
    """Answer as tasks.k3s.service.resources.PodNetwork says."""
    del context
    names = dict(socket.if_nameindex())
    if _VXLAN not in names.values():
        return {"vxlan": False, "interface": "", "mtu": 0, "interface_mtu": 0, "routes": {}}
    mtu, carrier = _link(socket.if_nametoindex(_VXLAN))
    return {
        "vxlan": True,
        "interface": names.get(carrier, ""),
        "mtu": mtu,
        "interface_mtu": _link(carrier)[0] if carrier in names else 0,
        "routes": _tried(_routes(query["pods"]), query["port"]),
    }


def _link(index: int) -> tuple[int, int]:
    """Return MTU of an interface, and the number of the one that it is bound to, as the kernel tells (netlink)."""
    request = struct.pack(
        "IHHIIBxHiII", 32, _RTM_GETLINK, _NLM_F_REQUEST, 1, 0, socket.AF_UNSPEC, 0, index, 0, 0
    )
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(_PATIENCE)
        kernel.send(request)
        answer = kernel.recv(1 << 16)
    length, kind = struct.unpack_from("IH", answer)
    if kind == _NLMSG_ERROR:
        raise AgentError(f"the kernel tells nothing of interface {index}")
    found = {_IFLA_MTU: 0, _IFLA_LINK: 0}
    place = _HEAD + _LINK_MESSAGE
    while place + 4 <= length:
        size, attribute = struct.unpack_from("HH", answer, place)
        if attribute in found:
            found[attribute] = struct.unpack_from("I", answer, place + 4)[0]
        place += max(4, (size + 3) & ~3)
    return found[_IFLA_MTU], found[_IFLA_LINK]


def _routes(pods: str) -> list[str]:
    """Return the networks of pods that the VXLAN leads to, such as 10.42.3.0."""
    inside = pods.rsplit(".", 2)[0] + "."
    with open(_ROUTES, encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    found = [
        socket.inet_ntoa(struct.pack("<I", int(row[1], 16))) for row in rows if row[0] == _VXLAN
    ]
    return sorted(network for network in found if network.startswith(inside))


def _tried(networks: list[str], port: int) -> dict[str, str]:
    answers: dict[str, str] = {}

    def one(network: str) -> None:
        try:
            socket.create_connection((network, port), _PATIENCE).close()
            answers[network] = ""
        except OSError as error:
            answers[network] = error.strerror or str(error)

    threads = [threading.Thread(target=one, args=(item,), daemon=True) for item in networks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE + 1.0)
    return {network: answers.get(network, "no answer") for network in networks}
