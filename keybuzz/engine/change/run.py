"""`kbz run`: the one verb that changes hosts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from keybuzz.engine import events
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.conduct import Conductor, Route, one_after_other
from keybuzz.engine.change.freeze import NO_LIFT, Freeze, Lift
from keybuzz.engine.change.saved_plan import SavedPlan, fingerprint
from keybuzz.engine.change.steps import StepResult
from keybuzz.engine.images.members import held
from keybuzz.engine.images.versions import require_pullable
from keybuzz.engine.look.survey import Survey, judge, survey
from keybuzz.engine.memory.claims import claimed, spoken
from keybuzz.engine.memory.first_install import first_installs
from keybuzz.engine.memory.gone_on_with import is_part_done
from keybuzz.engine.memory.outcomes import in_journal, remember, report_of
from keybuzz.engine.memory.scope import Scope
from keybuzz.engine.pace.pace import Pace
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import KbzError, RefusedError
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Plan
from keybuzz.model.core.record import plan_document
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.site.module import Module


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What was asked for."""

    modules: tuple[Module, ...]
    """The chain, with what is required, in order."""
    selected: frozenset[str]
    wait: float = 0.0
    """Seconds to wait for another run's lease."""
    timeout: float = 3600.0
    """Seconds for the whole run."""
    saved: SavedPlan | None = None
    """Apply exactly this, or nothing."""
    lifted: Lift = NO_LIFT
    """Frozen modules that this run may change (FRZ-1)."""
    since: int = 0
    """Number in the journal of the run that this one goes on with; a part of its plan may be done."""
    pace: Pace = field(default_factory=Pace)
    """How carefully it goes over its hosts."""
    route: Route = one_after_other
    """How it goes over the chain."""
    consent: Callable[[Survey], bool] = lambda found: False
    """Asked with the plan, before anything is changed; StoppedError when the operator does not want it.

    True when it has asked: then the hosts are read again, and the plan must still be the same.
    """

    @property
    def scope(self) -> Scope:
        """What a run that goes on with this one acts on, and nothing else."""
        if self.saved is None:
            return Scope(self.selected)
        return Scope(self.selected, str(self.saved.path), self.saved.digest, self.since)


def run(workspace: Workspace, request: RunRequest) -> Report:
    """Bring the modules' hosts to their description, and prove it. Every run is in the journal."""
    request.pace.require(request.selected)
    with (
        claimed(workspace, spoken("run", request.modules), request.selected, request.wait),
        in_journal(workspace, "run", request.modules, request.scope) as number,
    ):
        return remember(workspace, number, conducted(workspace, request))


def conducted(workspace: Workspace, request: RunRequest) -> Report:
    """Do what a request asks for; the caller holds the leases and keeps the journal."""
    started = time.monotonic()
    workspace.cuts.allow()
    before = survey(workspace, request.modules, request.selected)
    workspace.listen(planned(before))
    conductor = Conductor(
        workspace.nornir,
        workspace.site,
        request.modules,
        all_modules(),
        before.descriptions,
        request.selected,
        workspace.listen,
        started + request.timeout,
        workspace.stop,
        Freeze(
            frozenset(workspace.site.policies.freeze),
            request.lifted,
            first_installs(workspace),
        ),
        cuts=workspace.cuts,
        pace=request.pace,
        route=request.route,
    )

    def carry_out() -> None:
        if request.saved is not None:
            part = is_part_done(workspace.journal, request.since)
            (request.saved.require_part if part else request.saved.require_same)(before.plan)
        snapshot = before.snapshot
        if request.consent(before):
            snapshot = conductor.again()
            now = judge(workspace, request.modules, request.selected, before.descriptions, snapshot)
            require_as_agreed(before.plan, now.plan)
        require_pullable(workspace.site, before.plan, held=held(snapshot))
        conductor.run(snapshot)

    error = conductor.ending(carry_out)
    seconds = time.monotonic() - started
    return report_of_run(workspace, conductor, before, error, seconds)


def require_as_agreed(agreed: Plan, now: Plan) -> None:
    """Raise RefusedError when the plan has changed since the operator agreed to it."""
    if fingerprint(plan_document(agreed)) != fingerprint(plan_document(now)):
        raise RefusedError(
            f"the hosts have changed since this plan was shown: it had {agreed.size} changes, "
            f"now {now.size} are needed, or others",
            hint="nothing was changed; run it again to see the plan as it is now",
        )


def planned(before: Survey) -> events.Planned:
    """Return what is told of a plan: of a host that was not read nothing is known."""
    unread = len(before.selected & set(before.snapshot.unreachable))
    return events.Planned(before.plan, len(before.selected) - unread, unread)


def report_of_run(
    workspace: Workspace,
    conductor: Conductor,
    before: Survey,
    error: KbzError | None,
    seconds: float,
) -> Report:
    """Judge what the conductor has read last, and report what became of every host."""
    snapshot = conductor.last or before.snapshot
    after = before
    if snapshot is not before.snapshot:
        descriptions = conductor.descriptions
        after = judge(workspace, before.modules, before.selected, descriptions, snapshot)
    # What is inside a cluster is written on its leader, whether --limit names that host or not.
    touched = {result.change.host for result in conductor.results}
    hosts = {
        host: ended(host, after, conductor.results, error)
        for host in sorted(before.selected | touched)
    }
    workspace.listen(events.Judged(after.findings))
    report = report_of(workspace, "run", after, hosts, seconds, before.plan)
    return with_error(report, error)


def with_error(report: Report, error: KbzError | None) -> Report:
    """Return the report with what stopped its verb."""
    if error is None:
        return report
    return replace(report, error=str(error), error_code=error.code)


def ended(
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
