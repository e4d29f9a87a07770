"""Traefik's dynamic configuration: services and the servers behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from keybuzz.policy.document import Route
from keybuzz.policy.node import Node


def traefik_routes(root: Node) -> Iterator[Route]:
    """Yield where the services of `http` and `tcp` send what a router gives them."""
    for protocol in ("http", "tcp"):
        services = root.get(protocol, "services")
        for _, service in services.entries if services is not None else ():
            for server in service.all("loadBalancer", "servers"):
                node = server.get("url") or server.get("address")
                if node is not None and node.text:
                    yield Route(re.sub(r"^\w+://", "", node.text).partition("/")[0], node.place)
