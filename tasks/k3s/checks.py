"""Health of K3s; the same functions are the gates of a run. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from keybuzz.model.core.finding import Finding, Level, all_unknown, of_hosts, unknown
from keybuzz.model.core.live import HostView, Live, Member, Topology
from keybuzz.model.core.proposed import on_host, proposed
from keybuzz.model.host.system import SystemdUnit
from tasks.k3s.certificates import valid
from tasks.k3s.members import TOKEN_ID, Node, Place, kubectl, look, masters, nodes, places
from tasks.k3s.network import reaches
from tasks.k3s.ready import ingress_not_ready, no_api, not_ready, unanswered

_FROM_API = (
    "k3s.version.frozen",
    "k3s.flannel.private",
    "k3s.node.schedulable",
    "k3s.network.reaches",
    "k3s.ingress.answers",
)
"""What is judged of a node that the API knows."""
_BUILT_IN = ("k3s.dns.available", "k3s.metrics.available")
_VERSION = re.compile(r"(?m)^Description=K3s (\S+)")


def checks(live: Live) -> tuple[Finding, ...]:
    """Return a finding for every check on every member, good ones too."""
    if not live.hosts and not live.unreachable:
        return ()  # it was not asked about
    found, known = places(live), nodes(live)
    return (
        *(_reachable(live, server.name) for server in live.members),
        _whole(live),
        _one_cluster(found),
        _etcd(live, known),
        *(
            finding
            for host, view in live.hosts.items()
            for finding in _host(live, view, found[host], known.get(host))
        ),
        *(_strangers(live, known)),
        _ingress(live),
        *_built_in(live),
    )


def _host(live: Live, view: HostView, place: Place, node: Node | None) -> tuple[Finding, ...]:
    own: tuple[Finding, ...] = (_ready(live, place), valid(view))
    if place.master:
        own = (*own, _serves(place), _token(view, place))
    if node is None and (reason := no_api(live)) is not None:
        return (*own, *all_unknown(_FROM_API, f"no API is ready: {reason}", place.host))
    if node is None:
        return own
    return (
        *own,
        _version(view, node),
        _address(view, node),
        _schedulable(live, node),
        reaches(live, view, node),
        _answers(view, node),
    )


def _reachable(live: Live, host: str) -> Finding:
    check = "k3s.member.reachable"
    if host in live.unreachable:
        return Finding(check, Level.UNKNOWN, live.unreachable[host], host)
    if host not in live.hosts:
        return Finding(check, Level.UNKNOWN, "was not asked", host)
    return Finding(check, Level.OK, "answers", host)


def _whole(live: Live) -> Finding:
    """All of all, by the conditions of the API's own objects: `grep Ready` once took NotReady for good."""
    check, size = "k3s.nodes.ready", len(live.members)
    if (reason := no_api(live)) is not None:
        return Finding(check, Level.CRITICAL, f"no API is ready: {reason}", hint="kbz drift k3s")
    names = {server.name for server in live.members}
    ready = sorted(name for name, node in nodes(live).items() if node.ready and name in names)
    if len(ready) == size:
        return Finding(check, Level.OK, f"{size} of {size} nodes are Ready")
    away = ", ".join(sorted(names - set(ready)))
    text = f"{len(ready)} of {size} nodes are Ready; not {away}"
    return Finding(check, Level.CRITICAL, text, hint="kbz drift k3s")


def _one_cluster(found: dict[str, Place]) -> Finding:
    check = "k3s.cluster.one"
    known = {place.authority: host for host, place in found.items() if place.authority}
    if len(known) > 1:
        text = f"{' and '.join(sorted(known.values()))} are in two clusters"
        return Finding(check, Level.CRITICAL, text, hint="the owner decides which one stays")
    mute = of_hosts(
        (host, place.problem or "has no data")
        for host, place in found.items()
        if place.master and not place.authority
    )
    if mute is not None:
        return unknown(check, mute.why)
    return Finding(check, Level.OK, "one authority" if known else "no server was asked")


def _etcd(live: Live, known: dict[str, Node]) -> Finding:
    check, wanted = "k3s.etcd.members", set(masters(live))
    members = {name for name, node in known.items() if node.voter}
    if members == wanted:
        return Finding(check, Level.OK, f"{len(wanted)} full members")
    text = f"{len(members)} full members of {len(wanted)}: {', '.join(sorted(members)) or 'none'}"
    return Finding(check, Level.CRITICAL, text, hint="kbz drift k3s")


def _ready(live: Live, place: Place) -> Finding:
    reason = not_ready(live, [place.host])
    if reason is None:
        return Finding("k3s.node.ready", Level.OK, "Ready", place.host)
    hint = on_host(place.host, "systemctl", "status", "k3s", "k3s-agent")
    return Finding("k3s.node.ready", Level.CRITICAL, reason, place.host, hint)


def _serves(place: Place) -> Finding:
    if place.ready:
        return Finding("k3s.api.ready", Level.OK, "/readyz passes", place.host)
    text = place.problem or f"the unit is {place.state or 'not there'}"
    return Finding("k3s.api.ready", Level.CRITICAL, text, place.host)


def _token(view: HostView, place: Place) -> Finding:
    """K3s writes a new token down before its data is sealed with it; a server between the two does not start again."""
    check, host = "k3s.token.sealed", view.server.name
    if why := view.unread(TOKEN_ID):
        return unknown(check, why, host)
    if view.attribute(TOKEN_ID, "unproven") is True:
        text = "a new token was written down, and K3s has not confirmed that the cluster's data is sealed with it"
        todo = proposed("kbz", "secrets", "rotate", "k3s-token")
        hint = f"{todo} goes on; until then restart no master"
        if place.state != "active":
            text += f", and K3s is {place.state or 'not there'}"
            journal = on_host(host, "journalctl", "-u", "k3s", "-n", "50", "--no-pager")
            way_out = proposed("kbz", "explain", check)
            hint = f"{journal} says which token the data is sealed with; {way_out} has the way out"
        return Finding(check, Level.CRITICAL, text, host, hint)
    return Finding(check, Level.OK, "no rotation is left open", host)


def _version(view: HostView, node: Node) -> Finding:
    check = "k3s.version.frozen"
    units = (item.text for item in view.resources if isinstance(item, SystemdUnit))
    match = _VERSION.search(next(units, ""))
    wanted = match[1] if match else ""
    if node.version == wanted:
        return Finding(check, Level.OK, wanted, node.name)
    text = f"runs {node.version}, and {wanted} is frozen"
    return Finding(
        check, Level.CRITICAL, text, node.name, proposed("kbz", "run", "k3s", "--limit", node.name)
    )


def _address(view: HostView, node: Node) -> Finding:
    """The private address, to the API and to flannel: over the public card no pod reaches another node (facts/09)."""
    check, wanted = "k3s.flannel.private", str(view.server.address)
    if (node.address, node.flannel) == (wanted, wanted):
        return Finding(check, Level.OK, wanted, node.name)
    text = f"flannel tells {node.flannel or 'nothing'}, the node {node.address}, wanted {wanted}"
    return Finding(
        check, Level.CRITICAL, text, node.name, proposed("kbz", "run", "k3s", "--limit", node.name)
    )


def _schedulable(live: Live, node: Node) -> Finding:
    check = "k3s.node.schedulable"
    if not node.cordoned:
        return Finding(check, Level.OK, "takes pods", node.name)
    if node.held:
        text = "kbz has drained it and was cut off"
        return Finding(check, Level.WARN, text, node.name, "kbz run k3s")
    text = "it is cordoned, and not by kbz: it takes no pods of a node that is interrupted"
    hint = kubectl(live, "uncordon", node.name)
    return Finding(check, Level.CRITICAL, text, node.name, hint)


def _answers(view: HostView, node: Node) -> Finding:
    check, told = "k3s.ingress.answers", unanswered(view)
    if told:
        return Finding(check, Level.CRITICAL, told, node.name)
    return Finding(check, Level.OK, "/healthz: 200", node.name)


def _strangers(live: Live, known: dict[str, Node]) -> tuple[Finding, ...]:
    names = {server.name for server in live.members}
    return tuple(
        Finding(
            "k3s.node.stranger",
            Level.WARN,
            f"the cluster knows {name}, which is no server of the group",
            hint=f"correct servers.tsv, or let the owner delete it: {kubectl(live, 'delete', 'node', name)}",
        )
        for name in sorted(set(known) - names)
    )


def _ingress(live: Live) -> Finding:
    check = "k3s.ingress.ready"
    if (reason := ingress_not_ready(live)) is not None:
        return Finding(check, Level.CRITICAL, reason, hint="kbz drift k3s")
    found, total = look(live)["ingress"], len(nodes(live))
    if found["ready"] < total:
        return Finding(check, Level.CRITICAL, f"{found['ready']} of {total} nodes serve it")
    if not found.get("host_network"):
        text = "its pods are not on their nodes' network (K3S-2)"
        return Finding(check, Level.CRITICAL, text, hint="kbz run k3s")
    return Finding(check, Level.OK, f"{total} of {total} nodes serve it")


def _built_in(live: Live) -> tuple[Finding, ...]:
    found = look(live)
    if not found:
        return all_unknown(_BUILT_IN, f"no API is ready: {no_api(live)}")
    return (_dns(live, found), _metrics(found))


def _dns(live: Live, found: Mapping[str, Any]) -> Finding:
    check = "k3s.dns.available"
    if "dns" not in found:
        return unknown(check, "the API does not say it")
    dns = found["dns"]
    return Finding(
        check,
        Level.OK if dns else Level.CRITICAL,
        f"{dns} of CoreDNS available",
        hint="" if dns else kubectl(live, "-n", "kube-system", "logs", "deployment/coredns"),
    )


def _metrics(found: Mapping[str, Any]) -> Finding:
    check = "k3s.metrics.available"
    if "metrics" not in found:
        return unknown(check, "the API does not say it")
    if found["metrics"]:
        return Finding(check, Level.OK, "the metrics API is available")
    return Finding(check, Level.WARN, "the metrics API is not available: no HPA acts")


def topology(live: Live) -> Topology:
    """Return the nodes, for people."""
    found, known = places(live), nodes(live)
    lines = tuple(
        Member(
            host,
            "master" if place.master else "worker",
            _word(known.get(host)),
            (
                ("unit", place.state or "none"),
                ("etcd", "member" if host in known and known[host].voter else "-"),
                ("K3s", known[host].version if host in known else "?"),
            ),
        )
        for host, place in found.items()
    )
    missing = tuple(Member(host, "?", "unreachable") for host in live.unreachable)
    return Topology("k3s", (*lines, *missing))


def _word(node: Node | None) -> str:
    if node is None:
        return "no node"
    return f"{'Ready' if node.ready else 'NotReady'}{', cordoned' if node.cordoned else ''}"
