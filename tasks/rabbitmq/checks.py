"""Health of RabbitMQ; the same functions are the gates of a run. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from keybuzz.model.core.content import Template
from keybuzz.model.core.finding import Finding, Level, Unread, all_unknown, of_hosts, unknown
from keybuzz.model.core.live import HostView, Live, Member, Topology
from keybuzz.model.core.proposed import on_host, proposed
from keybuzz.model.host.files import File
from tasks.rabbitmq import switches
from tasks.rabbitmq.members import Node, nodes, together
from tasks.rabbitmq.service.resources import MANAGEMENT_PORT
from tasks.rabbitmq.values import AMQP_PORT, CLUSTER, node_name

_FROM_NODE = (
    "rabbitmq.cluster.members",
    "rabbitmq.cluster.running",
    "rabbitmq.partitions.none",
    "rabbitmq.alarms.none",
    "rabbitmq.queues.quorum",
    "rabbitmq.cluster.name",
    "rabbitmq.listens.private",
    "rabbitmq.guest.none",
)
"""What is not known of a node that does not answer."""
_HANDLING = re.compile(r"(?m)^cluster_partition_handling = (\S+)$")


def checks(live: Live) -> tuple[Finding, ...]:
    """Return a finding for every check on every member, good ones too."""
    found = nodes(live)
    return (
        *(_reachable(live, server.name) for server in live.members),
        _whole(live),
        *(
            finding
            for host, view in live.hosts.items()
            for finding in _node(live, view, found[host])
        ),
        _same_version(found.values()),
        _partition_handling(live),
        *switches.checks(live),
    )


def _node(live: Live, view: HostView, node: Node) -> tuple[Finding, ...]:
    if not node.answers or node.denied:
        unread = all_unknown(_FROM_NODE, node.silent, node.host)
        return (_silent(node), *unread, _units(view, node.host))
    return (
        Finding("rabbitmq.node.answers", Level.OK, "answers", node.host),
        _members(live, node),
        _running(live, node),
        _none("rabbitmq.partitions.none", "partitioned from", node.partitions, node.host),
        _none("rabbitmq.alarms.none", "alarm:", node.alarms, node.host),
        _queues(live, node),
        _name(node),
        _listens(view, node),
        _guest(node),
        _units(view, node.host),
    )


def not_ready(live: Live, hosts: Iterable[str]) -> str | None:
    """Return why these hosts are not one cluster in which all of them are well, or None.

    When they are all members there are, every quorum queue must have all its replicas online too.
    """
    found, wanted = nodes(live), tuple(dict.fromkeys(hosts))
    everybody = {server.name for server in live.members} <= set(wanted)
    for host in wanted:
        if host not in found:
            return f"{host} does not answer"
        if reason := _not_well(live, found[host], wanted):
            return f"{host}: {reason}"
        if everybody and (reason := critical(live, host)):
            return reason
    return None


def _not_well(live: Live, node: Node, hosts: tuple[str, ...]) -> str | None:
    if not node.answers:
        return f"RabbitMQ does not answer ({node.problem})"
    if node.denied:
        return "RabbitMQ does not let the user of rabbitmq.env in"
    away = [host for host in hosts if _name_of(live, host) not in node.running]
    if away:
        return f"{', '.join(away)} does not run in its cluster"
    if node.partitions:
        return f"partitioned from {', '.join(node.partitions)}"
    return f"alarm: {', '.join(node.alarms)}" if node.alarms else None


def critical(live: Live, host: str) -> str | None:
    """Return which quorum queues would lose their majority without this host, or None."""
    node = nodes(live).get(host)
    if node is not None and not node.answers and not node.down:
        return f"{host} does not say which queues would lose their majority ({node.problem})"
    if node is None or not node.critical:
        return None
    named = ", ".join(node.critical[:3]) + (" …" if len(node.critical) > 3 else "")
    return f"{host}: {len(node.critical)} quorum queues have no replica to spare: {named}"


def topology(live: Live) -> Topology:
    """Return which nodes run in the cluster, for people."""
    lines = tuple(
        Member(
            node.host,
            "member" if len(node.members) > 1 else "alone" if node.answers else "?",
            "running" if node.well else "no answer",
            (
                ("sees", f"{len(node.running)} of {len(node.members)} running"),
                ("queues", str(node.queues) if node.answers else "?"),
                ("RabbitMQ", node.version or "?"),
            ),
        )
        for node in nodes(live).values()
    )
    missing = tuple(Member(host, "?", "unreachable") for host in live.unreachable)
    return Topology(CLUSTER, (*lines, *missing))


def _name_of(live: Live, host: str) -> str:
    return next(node_name(server) for server in live.members if server.name == host)


def _reachable(live: Live, host: str) -> Finding:
    check = "rabbitmq.member.reachable"
    if host in live.unreachable:
        return Finding(check, Level.UNKNOWN, live.unreachable[host], host)
    if host not in live.hosts:
        return Finding(check, Level.UNKNOWN, "was not asked", host)
    return Finding(check, Level.OK, "answers", host)


def _whole(live: Live) -> Finding:
    """All of all: a cluster of one, or of two, is no green one."""
    check, found = "rabbitmq.cluster.whole", nodes(live)
    names = {node_name(server) for server in live.members}
    whole = [node for node in found.values() if set(node.members) == names <= node.running]
    size = len(live.members)
    apart = together(live)
    if len(apart) > 1:
        text = "the nodes are in parts: " + " / ".join(", ".join(sorted(s)) for s in apart)
        return Finding(check, Level.CRITICAL, text, hint=_joining(apart, size))
    if len(whole) == size:
        return Finding(check, Level.OK, f"{size} of {size} nodes run in one cluster")
    well = sum(1 for node in found.values() if node.well)
    text = f"{well} of {size} nodes run, and {len(whole)} of them see all others"
    return Finding(check, Level.CRITICAL, text, hint="kbz drift rabbitmq")


def _joining(apart: tuple[frozenset[str], ...], size: int) -> str:
    """Return how the parts become one again: `kbz restart` stops no member of a cluster without a majority."""
    if 2 * len(apart[0]) > size:
        smaller = ",".join(sorted(apart[-1]))
        hint = proposed("kbz", "restart", "rabbitmq", "--limit", smaller)
        return f"{hint} lets the smaller part join again"
    others = ",".join(sorted(host for part in apart[1:] for host in part))
    stop = on_host(others, "docker", "stop", "rabbitmq")
    return (
        f"no part has a majority. Keep one, such as {', '.join(sorted(apart[0]))}, and stop all others before one of "
        f"them starts: {stop}; then {on_host(others, 'docker', 'start', 'rabbitmq')}"
    )


def _silent(node: Node) -> Finding:
    check = "rabbitmq.node.answers"
    if node.denied:
        hint = "put the live password into rabbitmq.env, or kbz run rabbitmq makes the user"
        text = "does not let the user of rabbitmq.env in"
        return Finding(check, Level.CRITICAL, text, node.host, hint)
    hint = on_host(node.host, "docker", "logs", "--tail", "20", "rabbitmq")
    return Finding(check, Level.CRITICAL, node.problem, node.host, hint)


def _members(live: Live, node: Node) -> Finding:
    check, wanted = "rabbitmq.cluster.members", {node_name(server) for server in live.members}
    if set(node.members) == wanted:
        return Finding(check, Level.OK, f"{len(wanted)} members", node.host)
    text = f"its cluster is {', '.join(node.members)}"
    return Finding(check, Level.CRITICAL, text, node.host, "kbz drift rabbitmq")


def _running(live: Live, node: Node) -> Finding:
    away = sorted(set(node.members) - node.running)
    return _none("rabbitmq.cluster.running", "does not see run:", tuple(away), node.host)


def _none(check: str, what: str, found: tuple[str, ...], host: str) -> Finding:
    if found:
        return Finding(check, Level.CRITICAL, f"{what} {', '.join(found)}", host)
    return Finding(check, Level.OK, "none", host)


def _queues(live: Live, node: Node) -> Finding:
    """Each quorum queue has a replica to spare: this node may stop."""
    if reason := critical(live, node.host):
        text = reason.removeprefix(f"{node.host}: ")
        return Finding("rabbitmq.queues.quorum", Level.CRITICAL, text, node.host)
    if node.lacking:
        text = f"{len(node.lacking)} quorum queues have no replica here"
        return Finding("rabbitmq.queues.quorum", Level.WARN, text, node.host)
    return Finding("rabbitmq.queues.quorum", Level.OK, f"{node.queues} queues", node.host)


def _name(node: Node) -> Finding:
    level = Level.OK if node.cluster == CLUSTER else Level.CRITICAL
    return Finding("rabbitmq.cluster.name", level, f"its cluster is {node.cluster}", node.host)


def _listens(view: HostView, node: Node) -> Finding:
    """On the private address, and there only: 5672 and 15672 were once open to the Internet."""
    check = "rabbitmq.listens.private"
    wanted = {f"{view.server.address}:{port}" for port in (AMQP_PORT, MANAGEMENT_PORT)}
    ports = {str(AMQP_PORT), str(MANAGEMENT_PORT)}
    found = {item for item in node.listeners if item.rpartition(":")[2] in ports}
    if found == wanted:
        return Finding(check, Level.OK, ", ".join(sorted(found)), node.host)
    text = f"listens on {', '.join(sorted(found)) or 'nothing'}, wanted {', '.join(sorted(wanted))}"
    return Finding(check, Level.CRITICAL, text, node.host)


def _guest(node: Node) -> Finding:
    if isinstance(node.users, Unread):
        return unknown("rabbitmq.guest.none", node.users.why, node.host)
    level = Level.CRITICAL if "guest" in node.users else Level.OK
    text = "guest is there, with a password that everybody knows"
    return Finding("rabbitmq.guest.none", level, text if level else "none", node.host)


def _units(view: HostView, host: str) -> Finding:
    """No units for containers (RMQ-1, contradiction 16): what legacy left is reported."""
    answer = view.answer("rabbitmq.units")
    if not answer.known:
        return unknown("rabbitmq.units.none", answer.problem, host)
    found = [name for name in answer.value["names"] if "rabbitmq" in name and "." in name]
    if found:
        text = f"{', '.join(found)} in /etc/systemd/system: Docker restarts the container"
        return Finding("rabbitmq.units.none", Level.WARN, text, host, "remove them by hand")
    return Finding("rabbitmq.units.none", Level.OK, "none", host)


def _same_version(found: Collection[Node]) -> Finding:
    versions = sorted({node.version for node in found} - {""})
    if len(versions) <= 1:
        mute = ((node.host, node.silent or "says none") for node in found if not node.version)
        if (away := of_hosts(mute)) is not None:
            return unknown("rabbitmq.version.same", away.why)
        return Finding("rabbitmq.version.same", Level.OK, versions[0] if versions else "no node")
    return Finding("rabbitmq.version.same", Level.WARN, f"{' and '.join(versions)} run")


def _partition_handling(live: Live) -> Finding:
    """Proposed and never set by itself: the owner decides (facts/05)."""
    check = "rabbitmq.partition.handling"
    described = {_described_handling(view) for view in live.hosts.values()} - {""}
    if described <= {"pause_minority"}:
        return Finding(check, Level.OK, ", ".join(described) or "not described")
    text = f"{', '.join(sorted(described))}: both sides of a split network go on, and classic objects diverge"
    hint = "the owner decides: rabbitmq.partition_handling: pause_minority in site.yaml"
    return Finding(check, Level.WARN, text, hint=hint)


def _described_handling(view: HostView) -> str:
    for resource in view.resources:
        if isinstance(resource, File) and resource.path.endswith("/rabbitmq.conf"):
            if isinstance(resource.content, Template):
                return ""
            match = _HANDLING.search(resource.text.masked())
            return match[1] if match else ""
    return ""
