"""`kbz drift`: what is not as described and what is not described, against the run before. It changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from keybuzz.engine import events
from keybuzz.engine.drift import inside, strays
from keybuzz.engine.drift.accepted import digest, state_of
from keybuzz.engine.drift.accepted import judge as accept
from keybuzz.engine.look.observe import described, observe_within, outcome_of_silence
from keybuzz.engine.look.resting import in_maintenance
from keybuzz.engine.look.scope import concerned
from keybuzz.engine.look.survey import Survey, describe_scope, heard, judge
from keybuzz.engine.memory.forgetful import read_or, trouble
from keybuzz.engine.memory.journal import HostRecord
from keybuzz.engine.memory.lock import at_work, leases
from keybuzz.engine.memory.outcomes import in_journal, remember, report_of
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import KbzError, RefusedError
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.plan import Action, Change, Plan
from keybuzz.model.core.reading import Answer
from keybuzz.model.core.secret import DigestKey
from keybuzz.model.host.strays import Explained
from keybuzz.model.inventory.maintenance import Maintenance
from keybuzz.model.reports.drift import DriftItem, DriftReport, Standing, compare
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.site.files.private import StateError
from keybuzz.site.module import Description, Module
from keybuzz.transport.ssh.own_keys import own_fingerprints

VERB = "drift"
LEASE = "drift"
"""One for the whole site: two at once would both compare with the same run before."""


@dataclass(frozen=True, slots=True)
class DriftRequest:
    """What was asked for."""

    modules: tuple[Module, ...]
    """The chain, with what is required, in order."""
    selected: frozenset[str]
    every: tuple[Module, ...]
    """All modules that there are: together they explain what is on a host."""
    deadline: float | None = None
    """Seconds, after which hosts that have not answered are unknown; None: as long as a host may take."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What descriptions explain on each host, made before any host is asked."""

    explained: Mapping[str, Explained]
    words: frozenset[str]
    problems: Mapping[str, str]
    """Host to why its strays cannot be told: some module cannot describe it."""


def drift(workspace: Workspace, request: DriftRequest) -> Report:
    """Look, compare with the last run of the same modules, and write it all into the journal.

    While another one is at work this ends at once, is in the journal as skipped, and has looked at nothing.
    """
    asked = request.selected
    request = replace(request, selected=workspace.present(asked))
    folder = workspace.site.settings.state / "leases"
    with ExitStack() as held:
        try:
            held.enter_context(leases(folder, (LEASE,), workspace.command))
        except RefusedError as refused:
            return _skipped(workspace, request, refused)
        except (
            StateError
        ) as error:  # a look needs no state folder; two at once are better than none
            workspace.journal.trouble = trouble(workspace.journal.path, error)
        number = held.enter_context(in_journal(workspace, VERB, request.modules))
        report = _drift(workspace, request, number)
        return replace(report, absent=tuple(sorted(asked - request.selected)))


def items_now(workspace: Workspace, request: DriftRequest) -> tuple[DriftItem, ...]:
    """Return all that is not as described now, compared with nothing; the journal is neither read nor written."""
    ground = _ground(workspace, request)
    found = _survey(workspace, request, ground)
    key = workspace.site.digest_key
    return compare(_found(workspace, found, ground, key), (), (), 0)


def _found(
    workspace: Workspace, found: Survey, ground: Ground, key: DigestKey
) -> tuple[DriftItem, ...]:
    """Return all that is there now; the state of what no description explains is what is told about it.

    So a file that is a stray has one state, whatever its content.
    """
    items = (*_items(found, ground, key), *inside.items(workspace.site, found))
    return tuple(
        replace(item, state=digest((item.what,), key)) if item.stray else item for item in items
    )


def _skipped(workspace: Workspace, request: DriftRequest, refused: RefusedError) -> Report:
    error = f"skipped: {refused.what}"
    hosts = {host: HostReport(host, Outcome.SKIPPED) for host in sorted(request.selected)}
    names = tuple(module.name for module in request.modules)
    code = ExitCode.REFUSED
    report = Report(VERB, names, hosts, Plan({}), (), (), 0.0, error=error, error_code=code)
    journal, now = workspace.journal, workspace.clock()

    def write() -> int:
        number = journal.begin(VERB, (workspace.command,), names, now, workspace.site.root)
        records = {host: HostRecord(host, Outcome.SKIPPED, 0, "") for host in hosts}
        journal.end(number, workspace.clock(), int(code), records, "", error)
        return number

    return replace(report, number=read_or(journal, write, 0))


def _drift(workspace: Workspace, request: DriftRequest, number: int) -> Report:
    started = time.monotonic()
    ground = _ground(workspace, request)
    busy = set(_busy(workspace, request))
    found = _survey(workspace, request, ground)
    busy |= set(_busy(workspace, request))
    names = tuple(module.name for module in request.modules)
    journal = workspace.journal
    before = read_or(journal, lambda: journal.last_look(VERB, names), None)
    previous: tuple[DriftItem, ...] = ()
    if before is not None:
        number_before = before.number
        previous = read_or(journal, lambda: journal.drift(number_before), previous)
    servers = {server.name for server in workspace.site.servers}
    key = workspace.site.digest_key
    items = compare(
        _found(workspace, found, ground, key),
        (item for item in previous if not item.host or item.host in servers),
        (*_looked(found, ground), *inside.looked(workspace.site, found)),
        number,
    )
    here = in_maintenance(workspace.site, workspace.clock())
    today = datetime.fromtimestamp(workspace.clock(), UTC).date()
    judged = accept(items, previous, workspace.site.policies, today)
    judged = replace(judged, items=tuple(_resting(item, here) for item in judged.items))
    found = replace(found, plan=_without_accepted(found, judged.items))
    away = here.keys() & found.snapshot.unreachable.keys()
    asked = request.selected - away or request.selected
    hosts = {host: _host(host, found) for host in sorted(asked)}
    report = replace(
        report_of(workspace, VERB, found, hosts, time.monotonic() - started),
        drift=DriftReport(judged.items, before.number if before else 0, judged.newly),
        warnings=(
            *sorted(busy),
            *judged.warnings,
            *_problems(found, ground),
            *inside.problems(workspace.site, found),
        ),
    )
    return remember(workspace, number, report, _records(report))


def _resting(item: DriftItem, here: Mapping[str, Maintenance]) -> DriftItem:
    """Return what differs on a host in maintenance as accepted until that is over."""
    if item.host in here and item.standing in (Standing.NEW, Standing.STILL):
        return replace(item, standing=Standing.ACCEPTED)
    return item


def _busy(workspace: Workspace, request: DriftRequest) -> Iterator[str]:
    """Yield the runs that change these hosts now: half-applied changes are not drift, and drift does not wait."""
    folder = workspace.site.settings.state / "leases"
    for who in at_work(folder, workspace.lease_names(request.selected)):
        yield f"{who}: what it has not yet done looks like drift"


def _ground(workspace: Workspace, request: DriftRequest) -> Ground:
    """Describe every module of every host, so that a chain of few modules takes nothing of others for a stray."""
    site = workspace.site
    known: dict[str, Explained] = {}
    unclear: dict[str, str] = {}
    own = own_fingerprints(site.settings.key_filename)
    for host in sorted(request.selected):
        try:
            known[host] = strays.known(site, host, request.every, own)
        except KbzError as error:
            unclear[host] = error.sentence
    try:
        words = strays.words(site, request.every)
    except KbzError as error:
        return Ground({}, frozenset(), dict.fromkeys(request.selected, error.sentence))
    return Ground(known, words, unclear)


def _survey(workspace: Workspace, request: DriftRequest, ground: Ground) -> Survey:
    """Ask every host once, for its modules and for strays, and judge."""
    descriptions = describe_scope(workspace, request.modules, request.selected)
    for host, known in ground.explained.items():
        asked = {
            strays.READING: Description((), (strays.sweep(known),)),
            **inside.asked(workspace.site, host, request.modules),
        }
        modules = {**descriptions[host].modules, **asked}
        descriptions[host] = replace(descriptions[host], modules=modules)
    chain = concerned(request.modules, workspace.site, request.selected)
    names = ", ".join(module.name for module in chain)
    workspace.listen(events.Reading(len(set(descriptions) - workspace.absent), names))
    here = {h: found for h, found in descriptions.items() if h not in workspace.absent}
    answered = observe_within(workspace.nornir, here, Access.LOOK, request.deadline, described)
    snapshot = heard(workspace, descriptions, answered)
    return judge(workspace, request.modules, request.selected, descriptions, snapshot)


def _host(host: str, found: Survey) -> HostReport:
    reason = found.snapshot.unreachable.get(host)
    if reason is None:
        return HostReport(host, Outcome.OK, remaining=len(found.plan.of(host)))
    return HostReport(host, outcome_of_silence(reason), what=reason)


def _without_accepted(found: Survey, items: tuple[DriftItem, ...]) -> Plan:
    """Return the plan without what is accepted: it is no difference of this run."""
    accepted = {item.identity for item in items if item.standing is Standing.ACCEPTED}
    changes = {
        host: tuple(change for change in changes if _identity(change, found) not in accepted)
        for host, changes in found.plan.changes.items()
    }
    return replace(found.plan, changes=changes)


def _items(found: Survey, ground: Ground, key: DigestKey) -> Iterator[DriftItem]:
    """Yield all that is there now."""
    for host in sorted(found.selected):
        if host in found.snapshot.unreachable:
            yield DriftItem(f"silent/{host}", host, found.snapshot.unreachable[host])
        elif host in ground.explained:
            answer = _strays_of(host, found)
            yield from strays.strays(host, ground.explained[host], ground.words, answer)
    for changes in found.plan.changes.values():
        for change in changes:
            yield DriftItem(
                _identity(change, found), change.host, _what(change), state=state_of(change, key)
            )


def _identity(change: Change, found: Survey) -> str:
    """A resource inside a cluster is the cluster's: it is the same drift whoever leads today."""
    module = found.descriptions[change.host].modules[change.module]
    inside = any(resource.identity == change.identity for resource in module.cluster)
    place = change.module if inside else change.host
    return f"drift/{place}/{change.identity}"


def _what(change: Change) -> str:
    if change.action is Action.CREATE:
        return "is not there"
    if change.action is Action.LATER:
        return f"cannot be read: {change.reason}"
    return ", ".join(item.attribute for item in change.differences)


def _looked(found: Survey, ground: Ground) -> Iterator[str]:
    """Yield the beginnings of the ids that this run could have found."""
    answered = sorted(found.selected & set(found.snapshot.observations))
    for host in sorted(found.selected):
        yield f"silent/{host}"
    for host in answered:
        yield f"drift/{host}/"
        if host in ground.explained:
            yield from strays.looked_at(host, _strays_of(host, found))
        for module in found.descriptions[host].modules:
            yield f"drift/{module}/"


def _problems(found: Survey, ground: Ground) -> Iterator[str]:
    for host in sorted(found.selected & set(found.snapshot.observations)):
        if host in ground.problems:
            yield f"{host}: strays were not looked for: {ground.problems[host]}"
        else:
            yield from strays.problems(host, _strays_of(host, found))


def _strays_of(host: str, found: Survey) -> Answer:
    missing = Answer(strays.READING, problem="was not read")
    return found.snapshot.observations[host].answers.get(strays.READING, missing)


def _records(report: Report) -> dict[str, HostRecord]:
    """Return how each host ended: for --limit @drifted, what is there counts, resource or stray."""
    assert report.drift is not None
    counts: dict[str, int] = {}
    for item in report.drift.present:
        counts[item.host] = counts.get(item.host, 0) + 1
    return {
        host: HostRecord(
            host,
            Outcome.CHANGED if item.outcome is Outcome.OK and counts.get(host) else item.outcome,
            counts.get(host, 0) if item.outcome is Outcome.OK else 0,
            item.what,
        )
        for host, item in report.hosts.items()
    }
