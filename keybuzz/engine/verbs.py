"""The verbs that look (plan, drift, health) and the one that changes (run)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from keybuzz.engine import events
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.conduct import Conductor, StoppedError
from keybuzz.engine.journal import HostRecord
from keybuzz.engine.lock import leases
from keybuzz.engine.steps import StepResult
from keybuzz.engine.survey import Survey, judge, survey
from keybuzz.engine.workspace import Workspace
from keybuzz.model.errors import KbzError
from keybuzz.model.outcome import ExitCode, Outcome
from keybuzz.model.plan import Plan
from keybuzz.model.record import plan_text
from keybuzz.model.report import HostReport, Report
from keybuzz.site.module import Module


def look(
    workspace: Workspace, verb: str, modules: tuple[Module, ...], selected: frozenset[str]
) -> Report:
    """Survey the hosts and report: for plan, drift and health. Nothing is changed."""
    started = time.monotonic()
    found = survey(workspace, modules, selected)
    hosts = {host: _seen(host, found) for host in sorted(selected)}
    return _report(workspace, verb, found, hosts, time.monotonic() - started)


def _seen(host: str, found: Survey) -> HostReport:
    if host in found.snapshot.unreachable:
        return HostReport(host, Outcome.UNREACHABLE, what=found.snapshot.unreachable[host])
    return HostReport(host, Outcome.OK, remaining=len(found.plan.of(host)))


def _report(
    workspace: Workspace,
    verb: str,
    found: Survey,
    hosts: dict[str, HostReport],
    seconds: float,
    plan: Plan | None = None,
) -> Report:
    return Report(
        verb=verb,
        modules=tuple(module.name for module in found.modules),
        hosts=hosts,
        plan=found.plan if plan is None else plan,
        findings=found.findings,
        topologies=found.topologies,
        seconds=seconds,
        round_trips=workspace.round_trips(),
    )


def recorded(
    workspace: Workspace, verb: str, modules: tuple[Module, ...], selected: frozenset[str]
) -> Report:
    """Look, and write the result into the journal: for drift."""
    names = tuple(module.name for module in modules)
    now = time.time()
    number = workspace.journal.begin(verb, (workspace.command,), names, now, workspace.site.root)
    report = look(workspace, verb, modules, selected)
    return _remember(workspace, number, report)


def run(
    workspace: Workspace,
    modules: tuple[Module, ...],
    selected: frozenset[str],
    *,
    wait: float,
    timeout: float,
) -> Report:
    """Bring the modules' hosts to their description, and prove it. `wait` and `timeout` are in seconds."""
    folder = workspace.site.settings.state / "leases"
    names = tuple(module.name for module in modules)
    with leases(folder, workspace.lease_names(selected), workspace.command, wait):
        started = time.time()
        number = workspace.journal.begin(
            "run", (workspace.command,), names, started, workspace.site.root
        )
        report = _run(workspace, modules, selected, timeout)
        return _remember(workspace, number, report)


def _run(
    workspace: Workspace, modules: tuple[Module, ...], selected: frozenset[str], timeout: float
) -> Report:
    started = time.monotonic()
    before = survey(workspace, modules, selected)
    workspace.listen(events.Planned(before.plan))
    conductor = Conductor(
        workspace.nornir,
        workspace.site,
        modules,
        all_modules(),
        before.descriptions,
        selected,
        workspace.listen,
        started + timeout,
        workspace.stop,
    )
    error: KbzError | None = None
    snapshot = before.snapshot
    try:
        snapshot = conductor.run(snapshot)
    except KbzError as stopped:
        error = stopped
        snapshot = conductor.last or snapshot
    after = before
    if conductor.results or error is not None:
        after = judge(workspace, modules, selected, before.descriptions, snapshot)
    hosts = {host: _ended(host, after, conductor.results, error) for host in sorted(selected)}
    workspace.listen(events.Judged(after.findings))
    report = _report(workspace, "run", after, hosts, time.monotonic() - started, before.plan)
    return _with_error(report, error)


def _with_error(report: Report, error: KbzError | None) -> Report:
    if error is None:
        return report
    from dataclasses import replace

    code = ExitCode.INTERRUPTED if isinstance(error, StoppedError) else error.code
    return replace(report, error=str(error), error_code=code)


def _ended(
    host: str, after: Survey, results: Iterable[StepResult], error: KbzError | None
) -> HostReport:
    """Return one host's end: the worst thing that happened to it."""
    mine = [result for result in results if result.change.host == host]
    count = Counter(result.outcome for result in mine)
    remaining = len(after.plan.of(host))
    for outcome in (Outcome.FAILED, Outcome.REFUSED, Outcome.UNKNOWN, Outcome.UNREACHABLE):
        if count[outcome]:
            worst = next(result for result in mine if result.outcome is outcome)
            return HostReport(
                host, outcome, count[Outcome.CHANGED], remaining, worst.what, worst.hint
            )
    if host in after.snapshot.unreachable:
        reason = after.snapshot.unreachable[host]
        return HostReport(host, Outcome.UNREACHABLE, count[Outcome.CHANGED], what=reason)
    if remaining and error is not None:
        return HostReport(host, Outcome.SKIPPED, count[Outcome.CHANGED], remaining)
    outcome = Outcome.CHANGED if count[Outcome.CHANGED] else Outcome.OK
    return HostReport(host, outcome, count[Outcome.CHANGED], remaining)


def _remember(workspace: Workspace, number: int, report: Report) -> Report:
    from dataclasses import replace

    drifted = report.verb == "drift"
    hosts = {
        host: HostRecord(
            host,
            Outcome.CHANGED if drifted and item.remaining else item.outcome,
            item.remaining if drifted else item.changed,
            item.what,
        )
        for host, item in report.hosts.items()
    }
    workspace.journal.end(
        number, time.time(), int(report.exit_code), hosts, plan_text(report.plan), report.error
    )
    return replace(report, number=number)
