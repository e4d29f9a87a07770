"""The next step for K3s, from its live state. Pure.

A cluster is born once, on ground that all masters prove to be bare: the first starts with cluster-init, which is a step
in /run and never part of its configuration. Masters join one by one, each when the one before is a full member of
etcd; workers join together. Nothing here ever uninstalls or resets: a bare host whose name the cluster knows is
forgotten there first, and joins as a new node. What runs and differs is restarted one node at a time, a master
after a snapshot of etcd.
"""

from __future__ import annotations

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.host.files import Artefact
from keybuzz.model.host.system import InterfaceOption, SystemdUnit
from tasks.k3s.members import kubectl, masters, nodes, places
from tasks.k3s.ready import ingress_silent, no_api, not_ready
from tasks.k3s.service.resources import K3sManifest, K3sSchedulable, K3sStart
from tasks.k3s.steps import JOIN_TIMEOUT, birth, forget, roll, start

RETURN_TIMEOUT = 180.0
"""Seconds for servers to find each other again (facts/09: a node is Ready within 180 s)."""
INGRESS_TIMEOUT = 600.0
"""Seconds for every node to pull the ingress' image and to serve."""
_INSIDE = (K3sManifest, K3sSchedulable)


def next_stage(live: Live) -> Stage | None:
    """Return the next stage, or None when nothing is left to do."""
    if not live.selected & set(live.hosts):
        return None  # `kbz run all --limit db`: none of its hosts is meant
    _refuse_foreign(live)
    _refuse_unready(live)
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    units = [change for change in ready if isinstance(change.resource, SystemdUnit)]
    inside = [change for change in ready if isinstance(change.resource, _INSIDE)]
    around = tuple(c for c in ready if c not in units and c not in inside and _now(live, c))
    if around:
        return Stage("prepare", around)
    if no_api(live) is not None:
        return _without_api(live, units)
    return _with_api(live, units) or _inside(live, inside) or _settle(live)


def _now(live: Live, change: Change) -> bool:
    """A step in /run is taken away when its host is up, and never before it has done its work."""
    if not isinstance(change.resource, K3sStart):
        return True
    return not_ready(live, [change.host]) is None


def _refuse_foreign(live: Live) -> None:
    """Two clusters at once, and data that is none of ours, are never touched."""
    found = places(live)
    for host, place in found.items():
        if place.foreign and host in live.selected:
            raise RefusedError(
                place.foreign,
                where=host,
                hint="nothing was written; data is never converted, moved or removed by a run",
            )
    known: dict[str, str] = {}
    for host, place in found.items():
        if place.authority:
            known.setdefault(place.authority, host)
    if len(known) > 1:
        raise RefusedError(
            f"{' and '.join(known.values())} are in two clusters: their authorities differ",
            where="k3s",
            hint="the owner decides which one stays; kbz resets no server that holds data",
        )


def _refuse_unready(live: Live) -> None:
    """Refuse, before anything is written, what could not be right: no program, or no private card."""
    for change in live.changes():
        resource = change.resource
        if isinstance(resource, Artefact) and not resource.digest:
            raise RefusedError(
                "versions.yaml has no sha256 for k3s, or its file is missing",
                where="versions.yaml",
                hint=f"put the release's file at {resource.source} and its line of sha256sum-amd64.txt "
                "into versions.yaml (docs/k3s.md)",
            )
        if isinstance(resource, InterfaceOption) and change.action is Action.LATER:
            raise RefusedError(
                f"flannel's interface cannot be told: {change.reason}",
                where=change.host,
                hint="the private address of servers.tsv must be on one of its cards",
            )


def _without_api(live: Live, units: list[Change]) -> Stage | None:
    """No API is ready: start the masters that hold data, together, or make the cluster."""
    found = places(live)
    data = [host for host, place in found.items() if place.master and not place.bare]
    if not data:
        return _birth(live)
    stopped = [c for c in units if c.host in data and not found[c.host].at_work]
    gate = Gate("the API is ready on a majority of the masters", no_api, RETURN_TIMEOUT)
    if stopped:
        # A single server waits for a majority: only together they come back.
        changes = tuple(step for change in stopped for step in start(live, change, ""))
        return Stage("start the masters together", changes, after=gate)
    return Stage("wait", (), after=gate)


def _birth(live: Live) -> Stage:
    found, names = places(live), masters(live)
    if missing := [name for name in names if name not in found]:
        raise RefusedError(
            f"a first start needs all {len(names)} masters; {', '.join(missing)} cannot be read",
            where="k3s",
            hint="bring it back: whether a cluster lives there cannot be told",
        )
    if left := [name for name in names if name not in live.selected]:
        raise RefusedError(
            f"a first start needs all {len(names)} masters; --limit leaves out {', '.join(left)}",
            where="k3s",
            hint="kbz run k3s --limit k3s-masters",
        )
    return birth(live, names[0])


def _with_api(live: Live, units: list[Change]) -> Stage | None:
    """Bring masters in one by one, then workers together, then restart what differs, one at a time."""
    found = places(live)
    servers = [change for change in units if found[change.host].master]
    agents = [change for change in units if not found[change.host].master]
    for bringing in (_masters_in(live, servers), _workers_in(live, agents)):
        if bringing is not None:
            return bringing
    # What is not Ready anyway has nothing to lose by a restart, and may get well by it.
    differing = sorted((*servers, *agents), key=lambda c: not_ready(live, [c.host]) is None)
    if not differing:
        return None
    _refuse_cordoned(live, differing[0].host)
    return roll(live, differing[0])


def _refuse_cordoned(live: Live, host: str) -> None:
    """Refuse to interrupt a node that is Ready while another one takes no pods, by the word of a person."""
    if not_ready(live, [host]) is not None:
        return
    by_hand = sorted(n for n, node in nodes(live).items() if node.cordoned and not node.held)
    if others := [name for name in by_hand if name != host]:
        raise RefusedError(
            f"{', '.join(others)} is cordoned, and not by kbz: the pods of {host} have a node less to go to",
            where="k3s",
            hint=kubectl(live, "uncordon", *others),
        )


def _masters_in(live: Live, servers: list[Change]) -> Stage | None:
    found, known = places(live), nodes(live)
    for change in servers:
        if change.disrupts:
            continue
        if found[change.host].at_work:
            return _wait(live, [change.host])
        if found[change.host].bare and change.host in known:
            return forget(live, [change.host])
        return _join(live, [change])
    differing = {change.host for change in servers}
    there = [host for host in masters(live) if host in found and host not in differing]
    unwell = [host for host in there if not_ready(live, [host])]
    return _wait(live, unwell) if live.selected & set(unwell) else None


def _workers_in(live: Live, agents: list[Change]) -> Stage | None:
    found, known = places(live), nodes(live)
    idle = [change for change in agents if not change.disrupts]
    stopped = [change for change in idle if not found[change.host].at_work]
    if gone := [c.host for c in stopped if found[c.host].bare and c.host in known]:
        return forget(live, gone)
    if stopped:
        return _join(live, stopped)
    return _wait(live, [change.host for change in idle]) if idle else None


def _join(live: Live, changes: list[Change]) -> Stage:
    """Let nodes in behind masters that are all full members: etcd takes one learner at a time."""
    hosts = [change.host for change in changes]
    inside = [host for host in masters(live) if places(live).get(host) and host not in hosts]
    serving = [host for host in inside if places(live)[host].at_work]
    return Stage(
        f"start {', '.join(hosts)}" if len(hosts) < 3 else f"start {len(hosts)} workers together",
        tuple(step for change in changes for step in start(live, change)),
        before=Gate(
            f"{', '.join(serving)} serve", lambda now: not_ready(now, serving), RETURN_TIMEOUT
        ),
        after=Gate(f"{', '.join(hosts)} Ready", lambda now: not_ready(now, hosts), JOIN_TIMEOUT),
    )


def _wait(live: Live, hosts: list[str]) -> Stage:
    gate = Gate(f"{', '.join(hosts)} Ready", lambda now: not_ready(now, hosts), JOIN_TIMEOUT)
    return Stage("wait", (), after=gate)


def _inside(live: Live, inside: list[Change]) -> Stage | None:
    """Apply what is in the cluster; nodes that kbz holds back take pods again when they are Ready."""
    if not inside:
        return None
    held = [c.resource.node for c in inside if isinstance(c.resource, K3sSchedulable)]
    if unready := [host for host in held if not_ready(live, [host]) is not None]:
        return _wait(live, unready)
    return Stage(
        "ingress" if len(held) < len(inside) else f"{', '.join(held)} takes pods again",
        tuple(inside),
        after=Gate("the ingress serves on every node", ingress_silent, INGRESS_TIMEOUT),
    )


def _settle(live: Live) -> Stage | None:
    """Wait for nodes on their way: a run that was cut off, or hosts that have just come back."""
    found = places(live)
    hosts = sorted(host for host in live.selected if host in found and found[host].at_work)
    if not hosts:
        return None
    if not_ready(live, hosts) is not None:
        return _wait(live, hosts)
    if ingress_silent(live) is None:
        return None
    gate = Gate("the ingress serves on every node", ingress_silent, INGRESS_TIMEOUT)
    return Stage("wait", (), after=gate)
