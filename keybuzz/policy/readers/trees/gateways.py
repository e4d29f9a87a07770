"""Declared gateways (Kong, APISIX, cloudflared, Envoy, KrakenD, Caddy's JSON): where they send requests."""

from __future__ import annotations

import re
from collections.abc import Iterator

from keybuzz.policy.document import Route
from keybuzz.policy.node import Node


def gateway_routes(root: Node) -> Iterator[Route]:
    """Yield where the gateway of a tree sends what comes in; nothing for any other tree."""
    if root.get("_format_version") is not None:
        yield from _kong(root)
    elif root.get("ingress") is not None and root.get("tunnel") is not None:
        yield from (_route(node) for item in root.all("ingress") if (node := item.get("service")))
    elif root.get("static_resources") is not None:
        yield from _envoy(root)
    elif "krakend" in root.word("$schema") or (root.get("endpoints") and root.get("version")):
        yield from _krakend(root)
    elif root.get("apps", "http", "servers") is not None:
        yield from (_route(node) for keys, node in root.walk() if keys[-1:] == ("dial",))
    else:
        yield from _apisix(root)


def _kong(root: Node) -> Iterator[Route]:
    for service in root.all("services"):
        node = service.get("url") or service.get("host")
        if node is not None:
            yield _route(node)
    for upstream in root.all("upstreams"):
        for target in upstream.all("targets"):
            node = target.get("target") or target
            yield _route(node)


def _envoy(root: Node) -> Iterator[Route]:
    listens = tuple(
        node.text
        for listener in root.all("static_resources", "listeners")
        if (node := listener.get("address", "socket_address", "address")) and node.text
    )
    for cluster in root.all("static_resources", "clusters"):
        for keys, node in cluster.walk():
            if keys[-1:] == ("address",) and node.text:
                yield Route(node.text, node.place, listens)


def _krakend(root: Node) -> Iterator[Route]:
    for endpoint in root.all("endpoints"):
        for backend in endpoint.all("backend"):
            yield from (_route(host) for host in backend.all("host"))


def _apisix(root: Node) -> Iterator[Route]:
    upstreams = [item.get("upstream") for key in ("routes", "services") for item in root.all(key)]
    for upstream in (*upstreams, *root.all("upstreams")):
        nodes = upstream.get("nodes") if upstream is not None else None
        if nodes is None:
            continue
        for name, node in nodes.entries:
            yield Route(_host(name), node.key or node.place)
        for item in nodes.items:
            if (host := item.get("host")) is not None:
                yield _route(host)


def _route(node: Node) -> Route:
    return Route(_host(node.text or ""), node.place)


def _host(url: str) -> str:
    return re.sub(r"^\w+://", "", url).partition("/")[0]
