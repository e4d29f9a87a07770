"""EP-1: applications use the official endpoints, never a node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

from keybuzz.policy.context import MINIO_PORT, Context
from keybuzz.policy.document import Document, Place
from keybuzz.policy.violation import Found, Rule, each

_WITH_PORT = re.compile(r"(?<![\d.])(?P<address>\d+\.\d+\.\d+\.\d+):(?P<port>\d{1,5})(?!\d)")


def _judge(document: Document, context: Context) -> Iterator[Found]:
    for setting in document.settings:
        for text, place in setting.lines():
            if text.lstrip().startswith("#"):
                continue  # a line of an embedded file that is commented out
            yield from _nodes(document, text, place, context)
            yield from _wrong_ports(document, text, place, context)


def _nodes(document: Document, text: str, place: Place, context: Context) -> Iterator[Found]:
    for match in context.node_pattern.finditer(text):
        if match[0] == str(context.minio) and _port(text, match.end()) in ("", str(MINIO_PORT)):
            continue
        node = context.nodes[match[0].lower()]
        means = "is" if match[0] == node else f"is {node},"
        instead = context.replacements.get(node, "")
        yield Found(
            document.path,
            Place(place.line, place.column + match.start()),
            match[0],
            f"{match[0]} {means} a server, and no endpoint for applications",
            f"write {instead}" if instead else "",
        )


def _port(text: str, end: int) -> str:
    match = re.match(r":(\d+)", text[end:])
    return match[1] if match else ""


def _wrong_ports(document: Document, text: str, place: Place, context: Context) -> Iterator[Found]:
    for match in _WITH_PORT.finditer(text):
        try:
            endpoint = context.endpoint(IPv4Address(match["address"]))
        except ValueError:
            continue
        if endpoint is None or int(match["port"]) in endpoint.ports:
            continue
        if endpoint.address == context.minio:
            continue  # a node: named above
        ports = ", ".join(map(str, endpoint.ports))
        yield Found(
            document.path,
            Place(place.line, place.column + match.start()),
            match[0],
            f"{match['address']} serves nothing on port {match['port']}",
            f"its ports are {ports}",
        )


EP_1 = Rule(
    id="EP-1",
    title="Applications use only the official endpoints",
    why="A node fails, moves or stops to be the master; the load balancers follow that, and an application"
    " that names a node does not.",
    instead="10.0.0.10:5432 or :6432 (PostgreSQL), 10.0.0.10:6379 (Redis), 10.0.0.10:5672 (RabbitMQ),"
    " 10.0.0.20:3306 (MariaDB), http://10.0.0.134:9000 (MinIO)",
    applies_to="environment files, settings, compose files, Kubernetes manifests, Dockerfiles and shell:"
    " every address, host name, alias and domain name of servers.tsv. Comments, names and labels do not"
    " count, nor do the hosts of ssh, scp, rsync and ping, nor HAProxy's own servers.",
    judge=each(_judge),
)
