"""What makes MinIO healthy (facts/06, readiness). Pure; ids are stable."""

from __future__ import annotations

from keybuzz.model.core.finding import Finding, Level, Unread, all_unknown, of_hosts, unknown
from keybuzz.model.core.live import HostView, Live, Member, Topology
from keybuzz.model.core.proposed import on_host, proposed
from tasks.minio import values
from tasks.minio.identity import foreign_sets
from tasks.minio.members import DRIVE_ID, Node, entry, frozen, nodes, slow
from tasks.minio.ready import not_serving, sees
from tasks.minio.service.resources import PORT, MinioDrive

_OF_SERVING = (
    "minio.drives.online",
    "minio.drives.healed",
    "minio.service.frozen",
    "minio.listens.private",
    "minio.console",
)
"""What is asked of a node that serves."""
UNFREEZE = proposed("mc", "admin", "service", "unfreeze", values.ALIAS)
_ALIASES_ID = f"minio-aliases:{values.ALIASES}"


def checks(live: Live) -> tuple[Finding, ...]:
    """Judge every member and the cluster; a member that was not asked is never silently left out."""
    found = nodes(live)
    findings = [_reachable(live, server.name) for server in live.members]
    findings += [_one_set(live, found), _same_version(found)]
    for host, node in found.items():
        view = live.hosts[host]
        findings += [_serves(live, node), _drive(view, host), _alias(view, host)]
        if not_serving(live, node) is None:
            findings += [
                _sees_all(found, node),
                _healed(node),
                _frozen(found, node),
                _listens(view, host),
                _console(view, host),
            ]
        else:
            findings += all_unknown(_OF_SERVING, _unread(view, node) or "it does not serve", host)
    return tuple(findings)


def _unread(view: HostView, node: Node) -> str:
    """Return why it is not known whether a node serves; empty when it says so, or that it does not."""
    problems = (view.answer(name).problem for name in ("minio.live", "minio.cluster"))
    return node.silent or next((why for why in problems if why), "")


def topology(live: Live) -> Topology:
    """Return who serves now."""
    found = nodes(live)
    ids = sorted({node.deployment for node in found.values()} - {""})
    members = tuple(
        _member(found[server.name], entry(live))
        if server.name in found
        else Member(
            server.name, "unknown", "unreachable" if server.name in live.unreachable else ""
        )
        for server in live.members
    )
    serve = sum(node.serves for node in found.values())
    summary = f"{serve} of {len(live.members)} serve, write quorum {values.QUORUM}"
    only = f"clients reach {entry(live)} only (MIN-5)"
    return Topology(f"minio {', '.join(ids)}".strip(), members, f"{summary}; {only}")


def _member(node: Node, entrance: str) -> Member:
    role = "entry" if node.host == entrance else "member"
    state = "serves" if node.serves else "waits" if node.live else "silent"
    good = sum(sees(node, name) for name in node.servers)
    details = (
        ("drive", f"{node.place} of {node.size}" if node.formatted else "none"),
        ("sees", f"{good} of {values.NODES} drives"),
        ("MinIO", node.version or "?"),
    )
    return Member(node.host, role, state, details)


def _reachable(live: Live, host: str) -> Finding:
    check = "minio.member.reachable"
    if host in live.unreachable:
        return Finding(check, Level.UNKNOWN, live.unreachable[host], host)
    if host not in live.hosts:
        return Finding(check, Level.UNKNOWN, "was not asked", host)
    return Finding(check, Level.OK, "answers", host)


def _one_set(live: Live, found: dict[str, Node]) -> Finding:
    """Judge format.json of all drives together: one deployment, one set of three, each drive at its own place."""
    check = "minio.deployment.one"
    if wrong := next(foreign_sets(live), ""):
        return Finding(check, Level.CRITICAL, wrong, hint="no drive is changed; the owner decides")
    bare = [host for host, node in found.items() if not node.formatted]
    if bare or len(found) < len(live.members):
        count = len(found) - len(bare)
        text = f"{count} of {len(live.members)} drives have their format.json"
        return Finding(check, Level.CRITICAL, text, hint="kbz run minio")
    sets = {node.sets for node in found.values() if node.answers and not node.denied}
    if sets - {(values.NODES,)}:
        return Finding(check, Level.CRITICAL, f"a node sees sets of {sorted(sets)} drives")
    bald = [
        h
        for h, node in found.items()
        if node.answers and not node.denied and node.sets and not node.parity
    ]
    if bald:
        text = f"{', '.join(bald)} stores objects without parity: one lost drive would lose them"
        return Finding(check, Level.CRITICAL, text, hint="take MINIO_STORAGE_CLASS_… away (MIN-2)")
    if (mute := _mute(found)) is not None:
        return unknown(check, mute.why)
    return Finding(check, Level.OK, f"one set of {values.NODES} drives")


def _mute(found: dict[str, Node]) -> Unread | None:
    return of_hosts((host, node.silent) for host, node in found.items() if node.silent)


def _same_version(found: dict[str, Node]) -> Finding:
    check = "minio.version.same"
    versions = sorted({node.version for node in found.values()} - {""})
    if len(versions) > 1:
        return Finding(check, Level.CRITICAL, f"{' and '.join(versions)} run beside each other")
    silent = ((host, n.silent or "says none") for host, n in found.items() if not n.version)
    if (mute := of_hosts(silent)) is not None:
        return unknown(check, mute.why)
    return Finding(check, Level.OK, versions[0] if versions else "no node")


def _serves(live: Live, node: Node) -> Finding:
    check = "minio.node.serves"
    reason = not_serving(live, node)
    if reason is None:
        return Finding(check, Level.OK, "live, with the write quorum", node.host)
    hint = on_host(node.host, "docker", "logs", "--tail", "50", values.CONTAINER)
    return Finding(check, Level.CRITICAL, reason.removeprefix(f"{node.host} "), node.host, hint)


def _drive(view: HostView, host: str) -> Finding:
    check = "minio.drive.own"
    if why := view.unread(DRIVE_ID):
        return unknown(check, why, host)
    mount = any(item.mount for item in view.resources if isinstance(item, MinioDrive))
    if view.attribute(DRIVE_ID, "usable") is not True:
        found = view.attribute(DRIVE_ID, "found") or "what cannot be read"
        return Finding(check, Level.CRITICAL, f"{values.DATA} holds {found}", host)
    if mount and view.attribute(DRIVE_ID, "mounted") is not True:
        text = f"{values.DATA} is not mounted: MinIO would write to the root disk"
        return Finding(check, Level.CRITICAL, text, host, "stop the container and mount the volume")
    return Finding(check, Level.OK, str(view.attribute(DRIVE_ID, "found")), host)


def _alias(view: HostView, host: str) -> Finding:
    check, others = "minio.alias.one", view.attribute(_ALIASES_ID, "others")
    if isinstance(others, tuple) and others:
        text = f"mc has {', '.join(others)} (MIN-5)"
        return Finding(check, Level.CRITICAL, text, host, "mc alias rm NAME")
    if not isinstance(others, tuple):
        return unknown(check, view.unread(_ALIASES_ID) or "its aliases are not told", host)
    return Finding(check, Level.OK, "no other", host)


def _sees_all(found: dict[str, Node], node: Node) -> Finding:
    check = "minio.drives.online"
    good = [name for name in node.servers if sees(node, name)]
    if len(good) == len(node.servers) == values.NODES:
        return Finding(check, Level.OK, f"{len(good)} of {values.NODES}", node.host)
    bad = sorted(set(node.servers) - set(good))
    named = {other.name: other.host for other in found.values()}
    text = f"{len(good)} of {values.NODES}; not {', '.join(named.get(name, name) for name in bad)}"
    return Finding(check, Level.CRITICAL, text, node.host, "kbz run minio starts what is stopped")


def _healed(node: Node) -> Finding:
    check = "minio.drives.healed"
    if node.healing:
        text = f"{', '.join(node.healing)} gets what it missed"
        return Finding(check, Level.CRITICAL, text, node.host, "wait: no other node may be stopped")
    return Finding(check, Level.OK, "nothing is healing", node.host)


def _frozen(found: dict[str, Node], node: Node) -> Finding:
    """A freeze ends by its own command and no waiting ends it; a node that is slow may get over it."""
    check = "minio.service.frozen"
    text = "no request is answered within 3 s, though the administrator is"
    if node.slow:
        why = f"{text}, and no freeze holds them back: it is overloaded"
        all_are = slow(found) == {host for host, one in found.items() if one.serves}
        level = Level.CRITICAL if all_are else Level.WARN
        return Finding(check, level, why, node.host, "kbz health base")
    if not node.frozen:
        return Finding(check, Level.OK, "requests are answered", node.host)
    if frozen(found):
        why = f"{text}, on every node that serves: mc admin service freeze is on"
        return Finding(check, Level.CRITICAL, why, node.host, UNFREEZE)
    why = f"{text}: mc admin service freeze is on, and other nodes were restarted since"
    return Finding(check, Level.WARN, why, node.host, UNFREEZE)


def _listens(view: HostView, host: str) -> Finding:
    """On the private address, and there only (MIN-4)."""
    check, answer = "minio.listens.private", view.answer("minio.ports")
    if not answer.known:
        return unknown(check, answer.problem, host)
    wanted = {f"{view.server.address}:{port}" for port in (PORT, values.CONSOLE_PORT)}
    found = set(answer.value["listeners"])
    if found == wanted:
        return Finding(check, Level.OK, ", ".join(sorted(found)), host)
    text = f"listens on {', '.join(sorted(found)) or 'nothing'}, wanted {', '.join(sorted(wanted))}"
    return Finding(check, Level.CRITICAL, text, host, "kbz drift minio")


def _console(view: HostView, host: str) -> Finding:
    """The console is for operators: without it MinIO works."""
    check, answer = "minio.console", view.answer("minio.console")
    if answer.known and answer.value["status"] in (200, 302, 307):
        return Finding(check, Level.OK, "answers", host)
    text = answer.problem or f"answers {answer.value['status']}"
    return Finding(check, Level.WARN, text, host)
