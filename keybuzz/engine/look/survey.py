"""The first half of every verb: select, describe, probe, plan. It changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from keybuzz.engine import events
from keybuzz.engine.look.causes import explained, of_silent, unheard
from keybuzz.engine.look.describe import HostDescription, describe_all
from keybuzz.engine.look.judging import judged, topology_of
from keybuzz.engine.look.observe import Probing, Snapshot, View, observe_within, probe
from keybuzz.engine.look.resting import eased, ended, in_maintenance
from keybuzz.engine.look.scope import concerned
from keybuzz.engine.workspace import NOT_HERE, Workspace
from keybuzz.model.core.access import Access
from keybuzz.model.core.finding import Finding
from keybuzz.model.core.live import Topology
from keybuzz.model.core.plan import Plan
from keybuzz.model.reports.folding import by_reason
from keybuzz.site.module import Module


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found, and what follows from it."""

    modules: tuple[Module, ...]
    """Those that the selected hosts concern."""
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
    site = workspace.site
    clusters = tuple(
        module for module in concerned(modules, site, selected) if module.members_up is not None
    )
    neighbours = {
        server.name for module in clusters for server in site.members(module.group)
    } - selected
    nornir = workspace.nornir
    found = describe_all(nornir.filter(filter_func=lambda h: h.name in selected), modules)
    if neighbours:
        others = nornir.filter(filter_func=lambda h: h.name in neighbours)
        found.update(describe_all(others, clusters))
    return found


def survey(
    workspace: Workspace,
    modules: tuple[Module, ...],
    selected: frozenset[str],
    access: Access = Access.LOOK,
    deadline: float | None = None,
    task: Probing = probe,
) -> Survey:
    """Ask every host once and judge: plan, findings and topologies of the modules. `deadline` is in seconds.

    Nothing is written for it, not even by a verb that changes hosts afterwards, unless `access` goes further.
    With `task=described` the modules and the site are as they are on disk, so that workers can ask.
    """
    descriptions = describe_scope(workspace, modules, selected)
    names = ", ".join(module.name for module in concerned(modules, workspace.site, selected))
    workspace.listen(events.Reading(len(set(descriptions) - workspace.absent), names))
    asked = {h: found for h, found in descriptions.items() if h not in workspace.absent}
    answered = observe_within(workspace.nornir, asked, access, deadline, task)
    snapshot = heard(workspace, descriptions, answered)
    return judge(workspace, modules, selected, descriptions, snapshot)


def heard(
    workspace: Workspace, descriptions: Mapping[str, HostDescription], snapshot: Snapshot
) -> Snapshot:
    """Tell which hosts did not answer, each reason once; return the snapshot with those that are not in this lab."""
    for reason, hosts in by_reason(snapshot.unreachable.items()).items():
        workspace.listen(events.HostsLost(hosts, reason))
    absent = dict.fromkeys(sorted(workspace.absent & set(descriptions)), NOT_HERE)
    return replace(snapshot, unreachable={**snapshot.unreachable, **absent})


def placed(topology: Topology, absent: frozenset[str]) -> Topology:
    """Return a cluster in which members that are not in this lab are told from those that do not answer."""
    members = tuple(
        replace(member, state=NOT_HERE, details=()) if member.host in absent else member
        for member in topology.members
    )
    return replace(topology, members=members)


def judge(
    workspace: Workspace,
    modules: tuple[Module, ...],
    selected: frozenset[str],
    descriptions: Mapping[str, HostDescription],
    snapshot: Snapshot,
) -> Survey:
    """Return the survey that follows from a snapshot. Pure.

    Modules without a selected host are left out: their clusters were not asked.
    """
    site = workspace.site
    chosen = concerned(modules, site, selected)
    view = View(descriptions, snapshot, selected, site.digest_key)
    findings: list[Finding] = []
    silent: dict[str, str] = {}
    topologies: list[Topology] = []
    for module in chosen:
        live, found = judged(module, view.live(module, site))
        scope = set(live.hosts) | set(live.unreachable)
        findings += [f for f in found if not f.host or f.host in scope - workspace.absent]
        if not live.hosts:
            silent |= of_silent(found)
        if (topology := topology_of(module, live)) is not None:
            topologies.append(placed(topology, workspace.absent))
    now = workspace.clock()
    told = eased(unheard(explained(findings, chosen), silent), in_maintenance(site, now))
    return Survey(
        chosen,
        selected,
        descriptions,
        snapshot,
        view.plan(chosen, site),
        (*told, *ended(site, now, chosen, selected)),
        tuple(topologies),
    )
