"""What makes Galera healthy (facts/07, readiness). Pure; ids are stable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from keybuzz.model.core.finding import Finding, Level, Unread, all_unknown, of_hosts, unknown
from keybuzz.model.core.live import HostView, Live, Member, Topology
from keybuzz.model.core.proposed import on_host, proposed
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.files import File
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Likeness
from keybuzz.site.site import Site
from tasks.galera import switches, values
from tasks.galera.members import CONTAINER_ID, NO_HISTORY, Node, cut_off, nodes, together
from tasks.galera.ready import RECOVER, not_serving
from tasks.galera.service.checksums import MysqlChecksums

_FROM_NODE = (
    "galera.node.desync",
    "galera.node.writable",
    "galera.flow_control.paused",
    "galera.settings.live",
    "galera.settings.provider",
    "galera.settings.sql-mode",
    "galera.accounts.open",
    "galera.sessions.room",
)
"""What is not known of a node that does not say how it is."""
_REPLICATED = ("InnoDB", "SEQUENCE", "")
"""Engines whose rows Galera replicates; a sequence is one over InnoDB, and a broken table has none."""
_PAUSED = 0.1
"""Share of the time that flow control may hold writes back."""


def checks(live: Live) -> tuple[Finding, ...]:
    """Judge every member and the cluster; a member that was not asked is never silently left out."""
    found = nodes(live)
    findings = [_reachable(live, server.name) for server in live.members]
    findings.append(_one_cluster(live, found))
    for host, node in found.items():
        findings += [
            _serves(live, node),
            _flag(live.hosts[host], node),
            _application(live.hosts[host], host),
        ]
        if node.mute:
            findings += all_unknown(_FROM_NODE, node.mute, host)
        if node.primary:
            findings += [switches.desync(node), switches.writable(node)]
        if node.synced:
            findings += [
                _flow_control(node),
                _settings(live.hosts[host], node),
                switches.provider(live.hosts[host], node),
                switches.modes(node),
                switches.accounts(live.hosts[host], host),
                switches.sessions(node),
            ]
    return tuple(findings)


def topology(live: Live) -> Topology:
    """Return who serves now."""
    found = nodes(live)
    members = tuple(
        _member(found[server.name])
        if server.name in found
        else Member(
            server.name, "unknown", "unreachable" if server.name in live.unreachable else ""
        )
        for server in live.members
    )
    serving = [node for node in found.values() if node.primary]
    summary = f"{len(serving)} of {len(live.members)} in the Primary component"
    return Topology(_name(found.values()), members, summary)


def _name(found: Iterable[Node]) -> str:
    told = [node.variables for node in found if not isinstance(node.variables, Unread)]
    names = {variables.get("wsrep_cluster_name", "") for variables in told} - {""}
    return ", ".join(sorted(names)) or values.GROUP


def _member(node: Node) -> Member:
    details = (
        ("size", str(node.size)),
        ("seqno", node.status.get("wsrep_last_committed", "")),
        ("flow control", node.status.get("wsrep_flow_control_paused", "")),
    )
    state = node.status.get("wsrep_local_state_comment", "silent")
    role = "primary component" if node.primary else "outside"
    return Member(node.host, role, state, details if node.primary else ())


def _reachable(live: Live, host: str) -> Finding:
    check = "galera.member.reachable"
    if host in live.unreachable:
        return Finding(check, Level.UNKNOWN, live.unreachable[host], host)
    if host not in live.hosts:
        return Finding(check, Level.UNKNOWN, "was not asked", host)
    return Finding(check, Level.OK, "answers", host)


def _one_cluster(live: Live, found: dict[str, Node]) -> Finding:
    """Judge what all nodes say together: one history, one component, and everybody in it."""
    check, size = "galera.cluster.one", len(live.members)
    primaries = [node for node in found.values() if node.primary]
    if not primaries and (host := cut_off(live)):
        text = f"a first start was cut off on {host}, or is under way: no cluster serves yet"
        return Finding(check, Level.CRITICAL, text, hint="kbz run galera goes on with it")
    if not primaries:
        return Finding(check, Level.CRITICAL, "no node is in a Primary component", hint=RECOVER)
    largest = max(node.size for node in primaries)
    if len({node.uuid for node in primaries}) > 1 or len(primaries) > largest:
        names = " and ".join(node.host for node in primaries)
        return Finding(check, Level.CRITICAL, f"{names} are Primary without each other")
    if primaries[0].uuid == NO_HISTORY:
        text = (
            "the cluster has no history: nodes were started without their position, and may differ"
        )
        return Finding(check, Level.CRITICAL, text, hint="compare their data; the owner decides")
    apart = together(live)
    if len(apart) > 1:
        text = " / ".join(", ".join(sorted(side)) for side in apart)
        return Finding(check, Level.CRITICAL, f"the nodes see different components: {text}")
    if largest < size:
        text = f"{largest} of {size} members"
        return Finding(check, Level.CRITICAL, text, hint="kbz run galera starts what is stopped")
    away = of_hosts((host, node.mute) for host, node in found.items() if node.mute)
    if away is not None:
        return unknown(check, away.why)
    return Finding(check, Level.OK, f"{largest} of {size} members, {primaries[0].uuid}")


def _serves(live: Live, node: Node) -> Finding:
    check = "galera.node.synced"
    if node.synced:
        return Finding(check, Level.OK, "Synced, Primary, ready", node.host)
    if cut_off(live) == node.host:
        text = "a first start was cut off here, or is under way"
        return Finding(check, Level.CRITICAL, text, node.host, "kbz run galera goes on with it")
    hint = on_host(node.host, "docker", "logs", "--tail", "50", values.CONTAINER)
    text = not_serving(live, node).removeprefix(f"{node.host}: ")
    return Finding(check, Level.CRITICAL, text, node.host, hint)


def _flag(view: HostView, node: Node) -> Finding:
    check = "galera.bootstrap.flag"
    if why := view.unread(CONTAINER_ID):
        return unknown(check, why, node.host)
    if not node.flagged:
        return Finding(check, Level.OK, "joins", node.host)
    text = "its container has the bootstrap flag: its next start makes a cluster of its own"
    return Finding(check, Level.CRITICAL, text, node.host, "kbz run galera replaces it")


def _application(view: HostView, host: str) -> Finding:
    """Judge a real login of the application on this node."""
    check, answer = "galera.application.login", view.answer("galera.application")
    denied = answer.value["denied"] if answer.known else answer.problem
    if denied:
        return Finding(check, Level.CRITICAL, denied, host, "kbz run galera")
    return Finding(check, Level.OK, "logs in", host)


def _flow_control(node: Node) -> Finding:
    check = "galera.flow_control.paused"
    text = node.status.get("wsrep_flow_control_paused", "")
    try:
        share = float(text)
    except ValueError:
        return unknown(check, f"the server says {text!r}", node.host)
    level = Level.OK if share < _PAUSED else Level.WARN
    return Finding(check, level, f"writes were held back {share:.1%} of the time", node.host)


def _settings(view: HostView, node: Node) -> Finding:
    """Compare what the running server uses with what is settled (GAL-2)."""
    check = "galera.settings.live"
    wanted = _settled(view)
    if isinstance(node.variables, Unread):
        return unknown(check, node.variables.why, node.host)
    for key, value in wanted.items():
        found = node.variables.get(key, "")
        if found != value:
            text = f"{key} is {found}, and {value} is settled"
            hint = f"the server was started with something else: {proposed('docker', 'restart', values.CONTAINER)}"
            return Finding(check, Level.CRITICAL, text, node.host, hint)
    for key, value in values.DEFAULTS:
        found = node.variables.get(key, value)
        if found != value:
            text = f"{key} is {found} by hand, and {value} is what every node needs"
            hint = f"SET GLOBAL {key} = {value} on the node, when what it was set for is over"
            return Finding(check, Level.CRITICAL, text, node.host, hint)
    return Finding(check, Level.OK, f"{len(wanted)} settled values hold", node.host)


def _settled(view: HostView) -> dict[str, str]:
    """Return the checked keys of the described my.cnf."""
    files = (r for r in view.resources if isinstance(r, File) and r.path == values.MY_CNF)
    text = next((file.text.masked() for file in files), "")
    pairs = (line.split(" = ", 1) for line in text.splitlines() if " = " in line)
    return {key: value for key, value in pairs if key in values.LIVE}


def ask_rows(site: Site, server: Server) -> MysqlChecksums:
    """Return the question to one node: which rows it holds. Broken replication shows nowhere else."""
    return MysqlChecksums("galera.checksums", values.access(site, server))


def contents(answer: Answer) -> Mapping[str, str]:
    """Return a node's checksums by table, without tables that were too large to be read."""
    if not answer.known or answer.value["denied"]:
        raise ValueError(answer.problem or answer.value["denied"])
    tables = answer.value["tables"].items()
    return {name: table["checksum"] or "not read" for name, table in tables}


def alone(host: str, answer: Answer) -> tuple[Finding, ...]:
    """Judge the engines of one node's tables."""
    check = "galera.tables.replicated"
    if not answer.known or answer.value["denied"]:
        return (unknown(check, answer.problem or answer.value["denied"], host),)
    found = [
        f"{name} ({table['engine']}, about {table['rows']} rows)"
        for name, table in sorted(answer.value["tables"].items())
        if table["engine"] not in _REPLICATED
    ]
    if not found:
        return (Finding(check, Level.OK, "every table is replicated", host),)
    text = f"not replicated: {', '.join(found[:5])}" + (
        f" and {len(found) - 5} more" if len(found) > 5 else ""
    )
    hint = "its rows are on this node only: its owner copies them into a table with ENGINE=InnoDB"
    return (Finding(check, Level.WARN, text, host, hint),)


def say(level: Level, message: str, host: str, hint: str) -> Finding:
    """Return the finding of a comparison."""
    return Finding("galera.data.alike", level, message, host, hint)


LIKENESS = Likeness(say, ask_rows, contents, alone)
