"""What must be so before versions.yaml is changed: the hosts as described and in service, no freeze, a young backup."""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.engine.adopt.ahead import require_ahead
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.freeze import Freeze, Lift
from keybuzz.engine.change.guard import cluster_of, guard_quorum
from keybuzz.engine.look.asking import ask_each
from keybuzz.engine.look.observe import View
from keybuzz.engine.look.survey import Survey, survey
from keybuzz.engine.memory.first_install import first_installs
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import ContactError, RefusedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.proposed import proposed
from keybuzz.model.host.upgrades import Upgrades, version_of
from keybuzz.site.module import Module

_TIMEOUT = 30.0
"""Seconds for what a member is asked before another series."""


def require_heard(found: Survey) -> None:
    """Raise ContactError where a member does not answer: it could not be upgraded."""
    away = sorted(found.selected & set(found.snapshot.unreachable))
    if away:
        raise ContactError(
            f"{', '.join(away)} did not answer; nothing was changed",
            hint="an upgrade takes all members, one at a time: repair the host, or remove it first",
        )


def require_begins(would: Workspace, then: Survey, users: Iterable[Module]) -> None:
    """Raise what the run would refuse at its first stage: foreign data, another format, a node that may not stop."""
    site = would.site
    view = View(then.descriptions, then.snapshot, then.selected, site.digest_key)
    require_ahead(would.nornir, site, then.modules, lambda module: view.live(module, site))
    for module in users:
        live = view.live(module, site)
        stage = module.next_stage(live) if any(live.changes()) else None
        if stage is not None and module.members_up is not None:
            guard_quorum(stage, (cluster_of(module, live),))


def require_converged(found: Survey, users: Iterable[Module]) -> None:
    """Raise RefusedError where a member is not as described: two changes at once hide which one broke it."""
    names = {module.name for module in users}
    changes = [c for host in found.plan.changes.values() for c in host if c.module in names]
    if changes:
        first = changes[0]
        raise RefusedError(
            f"{len(changes)} resources differ from the description before the upgrade, "
            f"such as {first.identity} on {first.host}; nothing was changed",
            where=first.module,
            hint=f"{proposed('kbz', 'run', *sorted(names))} first, or versions.yaml back as it was",
        )


def require_ready(workspace: Workspace, table: Upgrades, before: str, after: str) -> None:
    """Raise RefusedError where the members say that they are not ready for another series."""
    if table.require(before, after) is None:
        return
    for module in all_modules():
        ready = module.readiness
        if ready is None or ready.image != table.image:
            continue
        hosts = [server.name for server in workspace.site.members(module.group)]
        present = workspace.present(frozenset(hosts))
        answers = ask_each(workspace.nornir, sorted(present), ready.ask, _TIMEOUT)
        lacking = ready.missing(version_of(after), answers)
        if lacking is not None:
            why, hint = lacking
            raise RefusedError(f"{why}; nothing was changed", where=module.name, hint=hint)


def require_free(
    workspace: Workspace, found: Survey, users: Iterable[Module], lifted: Lift
) -> None:
    """Raise RefusedError where a run would refuse the plan, because a module is frozen (FRZ-1)."""
    site = workspace.site
    freeze = Freeze(frozenset(site.policies.freeze), lifted, first_installs(workspace))
    view = View(found.descriptions, found.snapshot, found.selected, site.digest_key)
    for module in users:
        refusal = freeze.refusal(module, view.live(module, site))
        if refusal is not None:
            raise refusal


def require_backup(workspace: Workspace, table: Upgrades) -> None:
    """Raise RefusedError where the newest backup of the service is older than the site says, or not known."""
    if not table.keeps_data:
        return
    keeper = next(
        (m for m in all_modules() if any(a.service == table.backup for a in m.archives)), None
    )
    hint = "--without-backup goes on without one"
    if not table.backup or keeper is None:
        raise RefusedError(
            f"kbz keeps no backup of what is in {table.image}; nothing was changed",
            where=table.image,
            hint=f"take one by its own means; then {hint}",
        )
    hosts = frozenset(server.name for server in workspace.site.members(keeper.group))
    check = f"{keeper.name}.{table.backup}.age"
    run = proposed("kbz", "backup", "run", table.backup)
    findings: tuple[Finding, ...] = ()
    if hosts - workspace.absent:
        findings = survey(workspace, (keeper,), hosts - workspace.absent).findings
    ages = [finding for finding in findings if finding.check == check]
    if not ages or any(finding.level is not Level.OK for finding in ages):
        said = "; ".join(finding.message for finding in ages) or "its age is not known"
        raise RefusedError(
            f"no backup of {table.backup} is young enough for an upgrade: {said}; nothing was changed",
            where=check,
            hint=f"{run} takes one; {hint}",
        )
