"""What the journal remembers, as the page shows it: runs, drift over time, what drills cost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.memory.journal import LOOKED, Journal, RunRecord
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.reports.drift import DriftItem, Standing

_SILENT = (Outcome.UNREACHABLE, Outcome.UNKNOWN)


@dataclass(frozen=True, slots=True)
class DriftPoint:
    """One drift run: how much was not as described."""

    run: int
    moment: float
    modules: tuple[str, ...]
    differences: int
    hosts: int
    """Hosts that differed."""
    silent: int
    """Hosts that could not be asked: their differences are not known."""
    came: int = 0
    """Things that are not as described, or that is not described, and that the run before had not.

    0 where no run before it is remembered: nothing came, it was only seen for the first time.
    """
    went: int = 0


@dataclass(frozen=True, slots=True)
class DriftNews:
    """What the newest drift run found, against the run before."""

    run: int
    moment: float
    items: tuple[DriftItem, ...]
    before: int = 0
    """The run that it is compared with; 0 for the first of its modules."""
    before_moment: float | None = None
    began: Mapping[int, float] = field(default_factory=dict)
    """When each run began that saw one of them first; the journal forgets old ones."""


@dataclass(frozen=True, slots=True)
class TrialPoint:
    """One trial of a drill."""

    run: int
    moment: float
    drill: str
    scenario: str
    victim: str
    verdict: str
    seconds: float | None
    limit: float | None
    acknowledged: int | None
    lost: int | None


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """One restore that a drill made: how long it took (RTO), and how old its data was (RPO)."""

    run: int
    moment: float
    service: str
    backup: str
    recovery: float
    lost: float | None
    problem: str


@dataclass(frozen=True, slots=True)
class Past:
    """Everything, oldest first; runs newest first."""

    runs: tuple[RunRecord, ...] = ()
    drift: tuple[DriftPoint, ...] = ()
    other_drift: int = 0
    """Drift runs of other modules than the newest one: not comparable, and left out."""
    trials: tuple[TrialPoint, ...] = ()
    restores: tuple[RestorePoint, ...] = ()
    """The newest of each service, by its name."""
    plan: dict[str, Any] | None = None
    """The differences of the newest drift run."""
    news: DriftNews | None = None
    """None when no drift run is remembered."""


def past_of(journal: Journal, documents: Documents, last: int) -> Past:
    """Return what is remembered of the newest runs, `last` of each kind."""
    found = journal.find(last * 20, verb="drift")
    drift = [run for run in found if run.exit_code in LOOKED]
    alike = [run for run in drift if run.modules == drift[0].modules]
    drills = journal.find(last * 5, verb="drill")
    trials = (trial for run in drills for trial in _trials(run, documents.of(run.number)))
    return Past(
        journal.runs(last),
        _drift_points(journal, alike, last),
        len(drift) - len(alike) if len(alike) < last else 0,
        tuple(reversed(list(islice(trials, last * 5)))),
        _restores(journal, documents, last * 20),
        _plan(journal, drift[0]) if drift else None,
        _news(journal, drift[0], alike[1:]) if drift else None,
    )


def _news(journal: Journal, run: RunRecord, earlier: Sequence[RunRecord]) -> DriftNews | None:
    items = journal.drift(run.number)
    if not items and run.exit_code != ExitCode.GOOD:
        return None  # it found something, and is older than what the journal keeps of it
    first = {number: journal.run(number) for number in sorted({item.since for item in items})}
    began = {number: record.started for number, record in first.items() if record is not None}
    if not earlier:
        return DriftNews(run.number, run.started, items, began=began)
    before = earlier[0]
    return DriftNews(run.number, run.started, items, before.number, before.started, began)


def _plan(journal: Journal, run: RunRecord) -> dict[str, Any] | None:
    text = journal.plan(run.number)
    found = json.loads(text) if text else None
    return found if isinstance(found, dict) else None


def _drift_points(journal: Journal, runs: Sequence[RunRecord], last: int) -> tuple[DriftPoint, ...]:
    """Return the newest, oldest first."""
    points = [_drift_point(journal, run) for run in runs[:last]]
    if 0 < len(runs) <= last:
        points[-1] = replace(points[-1], came=0)
    return tuple(reversed(points))


def _drift_point(journal: Journal, run: RunRecord) -> DriftPoint:
    hosts = journal.hosts(run.number)
    plan = _plan(journal, run) or {}
    counted = sum(host.changes for host in hosts)
    standings = Counter(item.standing for item in journal.drift(run.number))
    return DriftPoint(
        run.number,
        run.started,
        run.modules,
        int(plan.get("size", counted)),
        sum(host.changes > 0 for host in hosts),
        sum(host.outcome in _SILENT for host in hosts),
        standings[Standing.NEW],
        standings[Standing.GONE],
    )


def _restores(journal: Journal, documents: Documents, most: int) -> tuple[RestorePoint, ...]:
    newest: dict[str, RestorePoint] = {}
    for run in journal.find(most, verb="drill restore"):
        document = documents.of(run.number)
        found = json.loads(document) if document else {}
        if found and found["service"] not in newest:
            newest[found["service"]] = RestorePoint(
                run.number,
                run.started,
                found["service"],
                found["backup"],
                found["recovery_seconds"],
                found["lost_seconds"],
                found["problem"],
            )
    return tuple(newest[name] for name in sorted(newest))


def _trials(run: RunRecord, document: str) -> Iterator[TrialPoint]:
    found = json.loads(document) if document else {}
    for trial in reversed(found.get("trials", [])):
        yield TrialPoint(
            run.number,
            run.started,
            found["drill"],
            trial["scenario"],
            trial["victim"],
            trial["verdict"],
            trial["seconds_without_writes"],
            trial["limit_seconds"],
            trial["acknowledged"],
            trial["lost"],
        )
