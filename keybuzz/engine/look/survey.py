"""The first half of every verb: select, describe, probe, plan. It changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keybuzz.engine import events
from keybuzz.engine.look.causes import explained
from keybuzz.engine.look.describe import HostDescription, describe_all
from keybuzz.engine.look.observe import Snapshot, View, observe
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.finding import Finding
from keybuzz.model.core.live import Topology
from keybuzz.model.core.plan import Plan
from keybuzz.site.module import Module


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found, and what follows from it."""

    modules: tuple[Module, ...]
    selected: frozenset[str]
    descriptions: Mapping[str, HostDescription]
    snapshot: Snapshot
    plan: Plan
    findings: tuple[Finding, ...]
    topologies: tuple[Topology, ...]


def describe_scope(
    workspace: Workspace, modules: tuple[Module, ...], selected: frozenset[str]
) -> dict[str, HostDescription]:
    """Describe the selected hosts for all modules, and the other members of their clusters for theirs."""
    clusters = tuple(module for module in modules if module.members_up is not None)
    neighbours = {
        server.name
        for module in clusters
        for server in workspace.site.members(module.group)
        if selected & {member.name for member in workspace.site.members(module.group)}
    } - selected
    nornir = workspace.nornir
    found = describe_all(nornir.filter(filter_func=lambda h: h.name in selected), modules)
    if neighbours:
        others = nornir.filter(filter_func=lambda h: h.name in neighbours)
        found.update(describe_all(others, clusters))
    return found


def survey(workspace: Workspace, modules: tuple[Module, ...], selected: frozenset[str]) -> Survey:
    """Ask every host once and judge: plan, findings and topologies of the modules."""
    descriptions = describe_scope(workspace, modules, selected)
    workspace.listen(events.Reading(len(descriptions), ", ".join(m.name for m in modules)))
    snapshot = observe(workspace.nornir, descriptions)
    for host, reason in snapshot.unreachable.items():
        workspace.listen(events.HostLost(host, reason))
    return judge(workspace, modules, selected, descriptions, snapshot)


def judge(
    workspace: Workspace,
    modules: tuple[Module, ...],
    selected: frozenset[str],
    descriptions: Mapping[str, HostDescription],
    snapshot: Snapshot,
) -> Survey:
    """Return the survey that follows from a snapshot. Pure."""
    site = workspace.site
    view = View(descriptions, snapshot, selected, site.digest_key)
    findings: list[Finding] = []
    topologies: list[Topology] = []
    for module in modules:
        live = view.live(module, site)
        scope = set(live.hosts) | set(live.unreachable)
        findings += [f for f in module.checks(live) if not f.host or f.host in scope]
        if module.topology is not None:
            topologies.append(module.topology(live))
    return Survey(
        modules,
        selected,
        descriptions,
        snapshot,
        view.plan(modules, site),
        explained(findings, modules),
        tuple(topologies),
    )
