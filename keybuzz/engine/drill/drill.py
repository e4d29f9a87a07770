"""`kbz drill`: break one member after the other on purpose, and report what each cost.

It holds the leases of the cluster, it is in the journal, and it restores what it broke in any case.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from keybuzz.engine import events
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.drill.client import client_of
from keybuzz.engine.drill.faults import Faults
from keybuzz.engine.drill.ground import HostGround, ground_of
from keybuzz.engine.drill.trial import TrialRun, require_green
from keybuzz.engine.memory.claims import claimed, spoken
from keybuzz.engine.memory.forgetful import read_or
from keybuzz.engine.memory.journal import HostRecord
from keybuzz.engine.memory.outcomes import in_journal, know_end, tell
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.core.live import Live
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.record import FORMAT_VERSION
from keybuzz.model.reports.drill import DrillReport, Scenario, Trial, Verdict
from keybuzz.site.drill import Drill
from keybuzz.site.files.problems import nearest
from keybuzz.site.module import Module

_OUTCOMES = {
    Verdict.RECOVERED: Outcome.OK,
    Verdict.FAILED: Outcome.FAILED,
    Verdict.ABORTED: Outcome.FAILED,
    Verdict.NOT_AVAILABLE: Outcome.SKIPPED,
}


@dataclass(frozen=True, slots=True)
class DrillRequest:
    """What was asked for."""

    name: str
    scenarios: tuple[Scenario, ...] = ()
    """Empty: every one."""
    host: str = ""
    """Empty: the leader, or the last member where no member leads."""
    every_node: bool = False
    wait: float = 0.0
    """Seconds to wait for another run's lease."""


def choose_drill(name: str, modules: Iterable[Module]) -> tuple[Module, Drill]:
    """Return the drill of that name, or of the module of that name."""
    known: dict[str, tuple[Module, Drill]] = {}
    for module in modules:
        for plan in module.drills:
            known.setdefault(module.name, (module, plan))
            known[plan.name or module.name] = (module, plan)
    if name not in known:
        raise UsageError(f"there is no drill {name}", hint=nearest(name, known))
    return known[name]


def drill(workspace: Workspace, request: DrillRequest, faults: Faults) -> DrillReport:
    """Do the trials one after the other; the first that does not recover ends it.

    RefusedError when the cluster is not green at the start: nothing was broken then.
    """
    every = all_modules()
    module, plan = choose_drill(request.name, every)
    site = workspace.site
    members = tuple(server.name for server in site.members(module.group))
    if request.host and request.host not in members:
        raise UsageError(
            f"{request.host} is no member of {module.name}", hint=nearest(request.host, members)
        )
    with (
        claimed(workspace, spoken("drill", (module,)), frozenset(members), request.wait),
        in_journal(workspace, "drill", (module,)) as number,
    ):
        started = time.monotonic()
        # A missing library is told before the first host is asked.
        client_of(plan.workload(site, Scenario.CONTAINER_KILLED)).close()
        ground = ground_of(workspace, module, plan, faults, every)
        report = _trials(ground, request, members)
        report = replace(report, seconds=time.monotonic() - started, number=number)
        _remember(workspace, report)
        return report


def _trials(ground: HostGround, request: DrillRequest, members: tuple[str, ...]) -> DrillReport:
    workspace, module, plan = ground.workspace, ground.module, ground.drill
    first = ground.look()
    require_green(first)
    done: list[Trial] = []
    error = ""
    for place in members if request.every_node else (request.host,):
        for scenario in request.scenarios or tuple(Scenario):
            if workspace.stop.is_set() or error:
                break
            live = first.live if not done else ground.look().live
            victim = place or plan.leader(live) or members[-1]
            try:
                done.append(_trial(ground, scenario, victim, live))
            except RefusedError as refused:
                if not any(trial.tally for trial in done):
                    raise
                error = str(refused)
            if done and done[-1].verdict in (Verdict.FAILED, Verdict.ABORTED):
                error = f"{scenario.value} on {victim} did not end well; no further trial was begun"
    workload = plan.workload(workspace.site, Scenario.CONTAINER_KILLED)
    return DrillReport(
        plan.name or module.name,
        module.name,
        f"{workload.address}:{workload.port}",
        tuple(done),
        0.0,
        workspace.stop.is_set(),
        error,
        setting=workload.setting,
    )


def _trial(ground: HostGround, scenario: Scenario, victim: str, live: Live) -> Trial:
    workspace, plan = ground.workspace, ground.drill
    if reason := not_available(ground, scenario, victim, live):
        return Trial(scenario, victim, Verdict.NOT_AVAILABLE, (reason,))

    def say(sentence: str) -> None:
        workspace.listen(events.Drilled(sentence))

    workload = plan.workload(workspace.site, scenario)
    return TrialRun(ground, plan, workload, scenario, victim, workspace.stop, say).run()


def not_available(ground: HostGround, scenario: Scenario, victim: str, live: Live) -> str:
    """Return why a scenario cannot be done on this victim now; empty when it can."""
    plan = ground.drill
    if reason := plan.unfit(ground.workspace.site, scenario, victim):
        return reason
    if reason := plan.not_applicable.get(scenario) or ground.faults.why_not(scenario):
        return reason
    if scenario is Scenario.SWITCHOVER and ground.module.release(live, victim) is None:
        return f"{victim} does not lead, so it has nothing to hand over"
    return ""


def _remember(workspace: Workspace, report: DrillReport) -> None:
    """End the entry of the journal: for each victim its worst trial."""
    know_end(workspace)
    hosts: dict[str, HostRecord] = {}
    for trial in report.trials:
        outcome = _OUTCOMES[trial.verdict]
        if trial.victim in hosts and hosts[trial.victim].outcome is Outcome.FAILED:
            continue
        if trial.verdict is not Verdict.NOT_AVAILABLE or trial.victim not in hosts:
            what = f"{trial.scenario.value}: {trial.verdict.value}"
            hosts[trial.victim] = HostRecord(trial.victim, outcome, 0, what)
    journal, number, code = workspace.journal, report.number, int(report.exit_code)
    now = workspace.clock()
    read_or(journal, lambda: journal.end(number, now, code, hosts, "", report.error), None)
    ended = {
        "format_version": FORMAT_VERSION,
        "verb": "drill",
        "run": report.number,
        "modules": [report.module],
        "command": workspace.command,
        "exit_code": int(report.exit_code),
        "error": report.error or None,
        "hosts": {
            host: {"outcome": item.outcome.value, "what": item.what} for host, item in hosts.items()
        },
    }
    for warning in filter(None, (*tell(workspace, report.number, ended), journal.trouble)):
        workspace.listen(events.Drilled(warning))
