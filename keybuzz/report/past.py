"""What the journal remembers, as the page shows it: runs, drift over time, what drills cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from keybuzz.engine.documents import Documents
from keybuzz.engine.journal import LOOKED, Journal, RunRecord
from keybuzz.model.outcome import Outcome

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
class Past:
    """Everything, oldest first; runs newest first."""

    runs: tuple[RunRecord, ...] = ()
    drift: tuple[DriftPoint, ...] = ()
    other_drift: int = 0
    """Drift runs of other modules than the newest one: not comparable, and left out."""
    trials: tuple[TrialPoint, ...] = ()
    plan: dict[str, Any] | None = None
    """The differences of the newest drift run."""


def past_of(journal: Journal, documents: Documents, last: int) -> Past:
    """Return what is remembered of the newest runs, `last` of each kind."""
    looks = journal.find(last * 20, verb="drift")
    drift = [run for run in looks if run.exit_code in LOOKED]
    alike = [run for run in drift if run.modules == drift[0].modules][:last]
    drills = journal.find(last * 5, verb="drill")
    trials = (trial for run in drills for trial in _trials(run, documents.of(run.number)))
    return Past(
        journal.runs(last),
        tuple(reversed([_drift_point(journal, run) for run in alike])),
        len(drift) - len(alike) if len(alike) < last else 0,
        tuple(reversed(list(islice(trials, last * 5)))),
        _plan(journal, drift[0]) if drift else None,
    )


def _plan(journal: Journal, run: RunRecord) -> dict[str, Any] | None:
    text = journal.plan(run.number)
    found = json.loads(text) if text else None
    return found if isinstance(found, dict) else None


def _drift_point(journal: Journal, run: RunRecord) -> DriftPoint:
    hosts = journal.hosts(run.number)
    plan = _plan(journal, run) or {}
    counted = sum(host.changes for host in hosts)
    return DriftPoint(
        run.number,
        run.started,
        run.modules,
        int(plan.get("size", counted)),
        sum(host.changes > 0 for host in hosts),
        sum(host.outcome in _SILENT for host in hosts),
    )


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
