"""The matrix between nodes: from each host to the pods' network of every other one, and which layer is in the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keybuzz.model.core.finding import Finding, Level, unknown
from keybuzz.model.core.live import HostView, Live
from tasks.k3s.members import Node, nodes

OVERHEAD = 50
"""Bytes that VXLAN adds to each packet."""


def reaches(live: Live, view: HostView, node: Node) -> Finding:
    """Judge the ways from one node to the pods of all others that are Ready."""
    check, answer = "k3s.network.reaches", view.answer("k3s.network")
    if not answer.known:
        return unknown(check, answer.problem, node.name)
    others = {n.pods.partition("/")[0]: n for n in nodes(live).values() if n.name != node.name}
    alive = {network: other for network, other in others.items() if other.ready and network}
    tried: Mapping[str, str] = answer.value["routes"]
    bad = {other.name: _why(tried, network) for network, other in alive.items()}
    broken = {name: why for name, why in bad.items() if why}
    if not broken:
        return Finding(check, Level.OK, f"the pods of {len(alive)} other nodes", node.name)
    name, why = next(iter(sorted(broken.items())))
    text = f"{len(broken)} of {len(alive)} nodes not, such as {name}: {why}"
    return Finding(check, Level.CRITICAL, text, node.name, _layer(view, node, answer.value, why))


def _why(tried: Mapping[str, str], network: str) -> str:
    return tried.get(network, "no route")


def _layer(view: HostView, node: Node, found: Mapping[str, Any], why: str) -> str:
    """Name what is in the way, from below: interface, MTU, routes, firewall."""
    if not found["vxlan"]:
        return "flannel.1 is not there: K3s does not run, or has not made its network"
    if node.flannel != str(view.server.address):
        return f"interface: flannel is on {found['interface']}, which does not carry {view.server.address}"
    if found["interface_mtu"] and found["mtu"] > found["interface_mtu"] - OVERHEAD:
        return (
            f"MTU: {found['mtu']} on flannel.1 does not fit into {found['interface_mtu']} of "
            f"{found['interface']}"
        )
    if why == "no route":
        return "routes: flannel has not heard of that node yet"
    return "firewall: 8472/udp between the nodes, or what comes from 10.42.0.0/16, is dropped there"
