"""Health of Qdrant; the same functions are the gates of a run. Pure."""

from __future__ import annotations

import re

from keybuzz.model.core.finding import Finding, Level, Unread, unknown
from keybuzz.model.core.live import Live, Member, Topology
from keybuzz.model.core.proposed import on_host, proposed
from tasks.qdrant import values
from tasks.qdrant.members import Node, nodes

_TAG = re.compile(r":v(\d+\.\d+\.\d+)")


def checks(live: Live) -> tuple[Finding, ...]:
    """Return a finding for every check on every host, good ones too."""
    found = nodes(live)
    return (
        *(_reachable(live, server.name) for server in live.members),
        *(
            finding
            for node in found.values()
            for finding in (_serves(node), _guarded(node), _version(node))
        ),
    )


def topology(live: Live) -> Topology:
    """Return the one node, for people."""
    lines = [
        Member(
            node.host,
            "node",
            node.not_serving or "serves",
            (
                ("version", "" if isinstance(node.version, Unread) else node.version),
                ("collections", str(node.collections)),
            ),
        )
        for node in nodes(live).values()
    ]
    lines += [Member(host, "node", "unreachable") for host in live.unreachable]
    return Topology(values.GROUP, tuple(lines), "one node: no other serves while it is away")


def _reachable(live: Live, host: str) -> Finding:
    check = "qdrant.reachable"
    if host in live.hosts:
        return Finding(check, Level.OK, "answers", host)
    return Finding(check, Level.UNKNOWN, live.unreachable.get(host, "was not asked"), host)


def _serves(node: Node) -> Finding:
    check = "qdrant.node.serves"
    if why := node.not_serving:
        hint = on_host(node.host, "docker", "logs", "--tail", "20", values.CONTAINER)
        return Finding(check, Level.CRITICAL, f"does not serve: {why}", node.host, hint)
    return Finding(check, Level.OK, f"serves {node.collections} collections", node.host)


def _guarded(node: Node) -> Finding:
    check = "qdrant.key.required"
    if isinstance(node.guarded, Unread):
        return unknown(check, node.guarded.why, node.host)
    if not node.guarded:
        text = "answers requests that have no API key"
        hint = f"give the key of qdrant.env to its clients, then as {proposed('kbz', 'explain', check)} says"
        return Finding(check, Level.CRITICAL, text, node.host, hint)
    return Finding(check, Level.OK, "refuses requests without the API key", node.host)


def _version(node: Node) -> Finding:
    check = "qdrant.version.frozen"
    if isinstance(node.version, Unread):
        return unknown(check, node.version.why, node.host)
    tag = _TAG.search(node.described)
    wanted = tag[1] if tag else ""
    if node.version and node.version == wanted:
        return Finding(check, Level.OK, f"runs {wanted}", node.host)
    runs = f"runs {node.version}" if node.version else "does not tell its version"
    text = f"{runs}; versions.yaml says {wanted or node.described}"
    return Finding(check, Level.CRITICAL, text, node.host, proposed("kbz", "plan", "qdrant"))
