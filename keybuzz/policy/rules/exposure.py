"""LB-3: what listens on a load balancer's address."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from keybuzz.policy.context import Context
from keybuzz.policy.document import Bind, Document
from keybuzz.policy.node import Node, Place
from keybuzz.policy.violation import Found, Rule, each


def _ipv4(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except ValueError:
        return None


def _shown(bind: Bind) -> str:
    return f"{bind.address}:{bind.port}" if bind.port else bind.address


def _judge_balancer(document: Document, context: Context) -> Iterator[Found]:
    """LB-3."""
    places = [(bind.address, bind.place, _shown(bind)) for bind in document.binds]
    for manifest in document.manifests:
        places += [(text, place, text) for text, place in _claimed(manifest.root)]
    for address, place, excerpt in places:
        found = _ipv4(address)
        endpoint = context.endpoint(found) if found is not None else None
        if endpoint is not None and not endpoint.on_server:
            message = f"{address} is the load balancer's own address: no server has it"
            yield Found(document.path, place, excerpt, message)


def _claimed(root: Node) -> Iterator[tuple[str, Place]]:
    """Yield the addresses that an object of Kubernetes asks for itself."""
    for keys, node in root.walk():
        if keys and keys[-1] in ("loadBalancerIP", "externalIPs", "hostIP"):
            yield node.text or "", node.place


LB_3 = Rule(
    id="LB-3",
    title="Nothing listens on a load balancer's address",
    why="The provider's load balancer has 10.0.0.10 and 10.0.0.20; no server has them. A program that binds to"
    " one does not start, or takes the address away.",
    instead="listen on 0.0.0.0: the firewall closes the port to all others",
    applies_to="bind lines of HAProxy, published ports of compose files and docker, settings named bind,"
    " listen, ifaces or interfaces, `ip address add`, and loadBalancerIP, externalIPs and hostIP of"
    " manifests.",
    judge=each(_judge_balancer),
)
