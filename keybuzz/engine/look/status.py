"""`kbz status`: one look at all hosts, and what the journal knows. It changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from keybuzz.engine.change.guard import cluster_of
from keybuzz.engine.look.judging import judged, topology_of
from keybuzz.engine.look.observe import View, described
from keybuzz.engine.look.scope import concerned, proven_virgin
from keybuzz.engine.look.survey import Survey, placed, survey
from keybuzz.engine.memory.first_install import NOT_MARKED, first_installs
from keybuzz.engine.memory.forgetful import read_or
from keybuzz.engine.memory.journal import HostRecord, RunRecord
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live, Topology
from keybuzz.model.reports.status import ClusterStatus, Frozen, Passed, Status
from keybuzz.site.module import Module

_REMEMBERED = 500
"""Entries of the journal that are read to find the newest of each cluster."""
_LOOKS = ("drift", "plan", "health")


def status(workspace: Workspace, modules: tuple[Module, ...], selected: frozenset[str]) -> Status:
    """Ask every host once and return all clusters that the selected hosts belong to."""
    started = time.monotonic()
    present = workspace.present(selected)
    found = survey(workspace, modules, present, task=described)
    nothing: tuple[RunRecord, ...] = ()
    journal = workspace.journal
    records = read_or(journal, lambda: journal.runs(_REMEMBERED), nothing)
    # What a whole cluster is does not depend on which of its members were selected.
    every = frozenset(found.descriptions)
    view = View(found.descriptions, found.snapshot, every, workspace.site.digest_key)
    clusters = tuple(
        _cluster(
            workspace, module, judged(module, view.live(module, workspace.site))[0], found, records
        )
        for module in found.modules
        if module.topology is not None
    )
    away = found.snapshot.unreachable
    chosen = concerned(modules, workspace.site, selected)
    return Status(
        clusters,
        tuple(sorted(present)),
        tuple((host, away[host]) for host in sorted(present & set(away))),
        troubles(found.findings, "base"),
        time.monotonic() - started,
        tuple(sorted(selected - present)),
        tuple(m.name for m in chosen if m not in found.modules and m.topology is not None),
    )


def _cluster(
    workspace: Workspace,
    module: Module,
    live: Live,
    found: Survey,
    records: tuple[RunRecord, ...],
) -> ClusterStatus:
    counted = cluster_of(module, live)
    asked = _asked(workspace, live)
    return ClusterStatus(
        module.name,
        module.title,
        placed(topology_of(module, live) or Topology(module.name, ()), workspace.absent),
        len(counted.members),
        len(counted.up & counted.members),
        counted.majority,
        counted.spare,
        _frozen(workspace, module, live, none_up=not counted.up),
        troubles(found.findings, module.name),
        newest(records, module.name, asked, looks=False),
        newest(records, module.name, asked, looks=True),
        silent=not live.hosts,
    )


def _frozen(workspace: Workspace, module: Module, live: Live, *, none_up: bool) -> Frozen:
    journal, members = workspace.journal, [server.name for server in live.members]
    installs = first_installs(workspace)
    if read_or(journal, lambda: installs.of(module.name, members), NOT_MARKED).counts:
        return Frozen.INSTALLING
    if none_up and proven_virgin(module, live):
        return Frozen.VIRGIN
    groups = workspace.site.policies.freeze
    return Frozen.YES if (module.frozen_as or module.group) in groups else Frozen.NO


def troubles(findings: Iterable[Finding], module: str) -> tuple[Finding, ...]:
    """Return what is wrong with a module, worst first, but what follows from another of its own findings."""
    own = (f for f in findings if _module(f.check) == module)
    found = [f for f in own if f.level > Level.OK and _module(f.cause) != module]
    return tuple(sorted(found, key=lambda finding: (-finding.level, finding.check, finding.host)))


def _module(check: str) -> str:
    return check.partition(".")[0]


def _asked(workspace: Workspace, live: Live) -> Callable[[int], bool]:
    """Return what says whether a run asked a member of the cluster; one that came to no host counts as well."""
    members = {server.name for server in live.members}

    def asked(run: int) -> bool:
        journal = workspace.journal
        none: tuple[HostRecord, ...] = ()
        hosts = {record.host for record in read_or(journal, lambda: journal.hosts(run), none)}
        return not hosts or bool(hosts & members)

    return asked


def newest(
    records: Iterable[RunRecord], module: str, asked: Callable[[int], bool], *, looks: bool
) -> Passed | None:
    """Return the newest drift run that asked a module's cluster, or the newest that could change it."""
    for record in records:
        fits = record.verb == "drift" if looks else record.verb not in _LOOKS
        if fits and module in record.modules and asked(record.number):
            seconds = max(0.0, time.time() - record.started)
            return Passed(record.number, record.verb, seconds, record.exit_code)
    return None
