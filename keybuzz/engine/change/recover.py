"""`kbz recover`: a cluster comes back after a total stop, from the one member that has everything.

1. no member serves, and each can be asked; 2. what runs without serving is stopped; 3. hosts that were installed
again get what a position is read with, after the cluster's name was typed for that; 4. the position of each is read;
5. the operator sees them and types the cluster's name; 6. what else a member is started with is made where it is gone;
7. the most advanced member, or the one that was named, makes a cluster of itself; 8. the module's own rollout brings
the others, and ends with plain members; 9. the data of all members is compared. Cut off after 7, `kbz run` goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.conduct import Conductor
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.change.run import planned, report_of_run
from keybuzz.engine.look.asking import ask_each
from keybuzz.engine.look.causes import explained
from keybuzz.engine.look.likeness import compared
from keybuzz.engine.look.observe import Snapshot, observe
from keybuzz.engine.look.survey import Survey, survey
from keybuzz.engine.memory.claims import claimed, spoken
from keybuzz.engine.memory.first_install import first_installs
from keybuzz.engine.memory.outcomes import in_journal, remember
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.reports.report import Report
from keybuzz.site.files.problems import nearest
from keybuzz.site.module import Module, Position, Recovery

_POSITION_TIMEOUT = 600.0
"""Seconds for a member to find its position: the server's crash recovery is part of it."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who decides."""

    show: Callable[[tuple[Position, ...], str], None]
    """Gets the positions, and the member to start from: none when they do not prove which."""
    ask: Callable[[str, str], str]
    """Gets the cluster's name and what it is typed for; returns what was typed."""
    source: str = ""
    """The member to start from that was named; all others take a full copy of its data."""


def recover(
    workspace: Workspace, name: str, operator: Operator, wait: float, timeout: float
) -> Report:
    """Recover one cluster; RefusedError before anything was started when that is not proven to be right."""
    module, recovery = _choose(name)
    selected = frozenset(server.name for server in workspace.site.members(module.group))
    with (
        claimed(workspace, spoken("recover", (module,)), selected, wait),
        in_journal(workspace, "recover", (module,)) as number,
    ):
        started = time.monotonic()
        before = survey(workspace, (module,), selected)
        conductor = _conductor(workspace, before, module, started + timeout)

        decided: list[str] = []

        def carry_out() -> None:
            decided.append(_decide(workspace, conductor, before, recovery, operator))
            _bring_back(workspace, conductor, before, decided[0], named=operator.source)

        error = conductor.ending(carry_out)
        if error is not None and not conductor.results:
            raise error  # no member was stopped, and none started
        seconds = time.monotonic() - started
        done = report_of_run(workspace, conductor, before, error, seconds)
        report = remember(
            workspace, number, _with_likeness(workspace, replace(done, verb="recover"), module)
        )
        if error is not None and not decided:
            raise error  # what was stopped is remembered; nothing was brought back
        return report


def _choose(name: str) -> tuple[Module, Recovery]:
    known = {module.name: (module, module.recovery) for module in all_modules() if module.recovery}
    if name not in known:
        raise UsageError(f"nothing is known about how to recover {name}", hint=nearest(name, known))
    module, recovery = known[name]
    assert recovery is not None
    return module, recovery


def _conductor(workspace: Workspace, before: Survey, module: Module, deadline: float) -> Conductor:
    site = workspace.site
    return Conductor(
        workspace.nornir,
        site,
        (module,),
        all_modules(),
        before.descriptions,
        before.selected,
        workspace.listen,
        deadline,
        workspace.stop,
        Freeze(frozenset(site.policies.freeze), NO_LIFT, first_installs(workspace)),
        last=before.snapshot,
        cuts=workspace.cuts,
    )


def _decide(
    workspace: Workspace,
    conductor: Conductor,
    before: Survey,
    recovery: Recovery,
    operator: Operator,
) -> str:
    """Return the member to start from, after the operator has typed the cluster's name."""
    (module,) = conductor.modules
    halting = recovery.halt(conductor.view(before.snapshot).live(module, workspace.site))
    newest = before.snapshot
    if halting is not None:
        newest = conductor.stage(module, halting, newest)
    _make_askable(workspace, conductor, recovery, operator, newest)
    found = _positions(workspace, before.selected, recovery)
    try:
        host = recovery.choose(found, operator.source)
    except RefusedError:
        operator.show(found, "")
        raise
    operator.show(found, host)
    _require_typed(workspace, recovery, operator, module, f"to start it from {host}")
    _require_still_down(workspace, conductor, recovery)
    return host


def _make_askable(
    workspace: Workspace,
    conductor: Conductor,
    recovery: Recovery,
    operator: Operator,
    newest: Snapshot,
) -> None:
    """Bring back what positions are read with, where a host was installed again: only after the name was typed."""
    (module,) = conductor.modules
    stage = recovery.askable(conductor.view(newest).live(module, workspace.site))
    if stage is None:
        return
    purpose = f"to bring back what is missing on {', '.join(stage.hosts)}"
    _require_typed(workspace, recovery, operator, module, purpose)
    conductor.stage(module, stage, newest)


def _require_typed(
    workspace: Workspace, recovery: Recovery, operator: Operator, module: Module, purpose: str
) -> None:
    cluster = recovery.name(workspace.site)
    if operator.ask(cluster, purpose) != cluster:
        raise RefusedError(
            f"the name of the cluster was not typed: it is {cluster}",
            where=module.name,
            hint="nothing was started; its members are stopped",
        )


def _require_still_down(workspace: Workspace, conductor: Conductor, recovery: Recovery) -> None:
    """Look again: whoever typed the name may have taken an hour for it."""
    conductor.last = observe(workspace.nornir, conductor.descriptions, Access.CHANGE)
    (module,) = conductor.modules
    live = conductor.view(conductor.last).live(module, workspace.site)
    if recovery.halt(live) is not None:
        raise RefusedError(
            "members were started since their positions were read",
            where=module.name,
            hint="nothing was started by kbz; give the command again",
        )


def _bring_back(
    workspace: Workspace, conductor: Conductor, before: Survey, host: str, named: str
) -> None:
    """Start from a member, and let the module's own rollout bring the others."""
    (module,) = conductor.modules
    assert module.recovery is not None
    assert conductor.last is not None
    workspace.listen(planned(before))
    # From here on a run that goes on from a recovery that was cut off is no change of a frozen cluster.
    recovery, last = module.recovery, conductor.last
    live = conductor.view(last).live(module, workspace.site)
    conductor.freeze.begin(module, live)
    newest = last
    for stage in (recovery.startable(live), recovery.forget(live, host) if named else None):
        newest = conductor.stage(module, stage, newest) if stage else newest
    live = conductor.view(newest).live(module, workspace.site)
    conductor.run(conductor.stage(module, recovery.start(live, host), newest))


def _with_likeness(workspace: Workspace, report: Report, module: Module) -> Report:
    """Compare the data of all members: what a node kept of another past is seen now, or never."""
    if module.likeness is None or report.error:
        return report
    found = compared(workspace, module)
    return replace(report, findings=explained((*report.findings, *found), (module,)))


def _positions(
    workspace: Workspace, selected: frozenset[str], recovery: Recovery
) -> tuple[Position, ...]:
    answers = ask_each(workspace.nornir, selected, recovery.positions, _POSITION_TIMEOUT)
    return tuple(recovery.position(host, answers[host]) for host in sorted(answers))
