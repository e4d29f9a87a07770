"""`kbz recover`: a cluster comes back after a total stop, from the one member that has everything.

1. no member serves, and each can be asked; 2. what runs without serving is stopped; 3. the position of each member is
read; 4. the operator sees them and types the cluster's name; 5. the most advanced member, or the one that was named,
makes a cluster of itself; 6. the module's own rollout brings the others, and ends with plain members; 7. the data of
all members is compared. Cut off after 5, `kbz run` goes on.
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
from keybuzz.engine.look.observe import observe
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
    """Gets the cluster's name and the member to start from; returns what was typed for the name."""
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
    module, site = conductor.modules[0], workspace.site
    halting = recovery.halt(conductor.view(before.snapshot).live(module, site))
    if halting is not None:
        conductor.stage(module, halting, before.snapshot)
    found = _positions(workspace, before.selected, recovery)
    try:
        host = recovery.choose(found, operator.source)
    except RefusedError:
        operator.show(found, "")
        raise
    operator.show(found, host)
    cluster = recovery.name(site)
    if operator.ask(cluster, host) != cluster:
        raise RefusedError(
            f"the name of the cluster was not typed: it is {cluster}",
            where=module.name,
            hint="nothing was started; its members are stopped",
        )
    _require_still_down(workspace, conductor, recovery)
    return host


def _require_still_down(workspace: Workspace, conductor: Conductor, recovery: Recovery) -> None:
    """Look again: whoever typed the name may have taken an hour for it."""
    conductor.last = observe(workspace.nornir, conductor.descriptions, Access.CHANGE)
    module = conductor.modules[0]
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
    module = conductor.modules[0]
    assert module.recovery is not None
    assert conductor.last is not None
    workspace.listen(planned(before))
    # From here on a run that goes on from a recovery that was cut off is no change of a frozen cluster.
    recovery, last = module.recovery, conductor.last
    live = conductor.view(last).live(module, workspace.site)
    conductor.freeze.begin(module, live)
    forgetting = recovery.forget(live, host) if named else None
    newest = conductor.stage(module, forgetting, last) if forgetting else last
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
