"""Gathers what a bundle shows of a site: state, plan, health, drift, logs and the runs before. It changes nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from keybuzz.engine.bundle.asked import Told, ask_all, readings
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.drift.drift import DriftRequest, items_now
from keybuzz.engine.look.survey import Survey, survey
from keybuzz.engine.memory.forgetful import UNUSABLE
from keybuzz.engine.memory.journal import HostRecord, Journal, RunRecord
from keybuzz.engine.verbs import looked
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import KbzError, sentence_of
from keybuzz.model.core.reading import Reading
from keybuzz.model.reports.drift import DriftItem
from keybuzz.model.reports.report import Report
from keybuzz.site.module import Module


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for."""

    modules: tuple[Module, ...]
    """The chain, with what is required, in order."""
    named: tuple[Module, ...]
    """Those that were named: their files and logs are shown."""
    selected: frozenset[str]
    lines: int
    """Of each log."""
    runs: int
    """Of the journal."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the journal, with its hosts."""

    record: RunRecord
    hosts: tuple[HostRecord, ...]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was found; what is missing is in `left_out` or `silent`, by name and with its reason."""

    wish: Wish
    moment: float
    """Seconds since the epoch."""
    survey: Survey
    report: Report
    """Plan, findings and topologies together."""
    drift: tuple[DriftItem, ...]
    told: Mapping[str, Told]
    runs: tuple[Run, ...]
    silent: Mapping[str, str]
    """Hosts that did not answer, and why."""
    left_out: Mapping[str, str]
    """Parts of the bundle that could not be made, and why."""


def gather(workspace: Workspace, wish: Wish) -> Gathered:
    """Ask the hosts and read the journal; no host and no part that is missing ends it."""
    started, moment = time.monotonic(), workspace.clock()
    present = workspace.present(wish.selected)
    found = survey(workspace, wish.modules, present)
    report = looked(workspace, "health", found, wish.selected - present, started)
    left_out: dict[str, str] = {}
    drift = _drift(workspace, wish, present, left_out)
    asked = _asked(found, wish)
    told, silent = ask_all(workspace.nornir, asked)
    silent = {**silent, **{h: why for h, why in found.snapshot.unreachable.items() if h in present}}
    runs = _runs(workspace, wish, left_out)
    return Gathered(wish, moment, found, report, drift, told, runs, silent, left_out)


def _asked(found: Survey, wish: Wish) -> dict[str, tuple[Reading, ...]]:
    names = [module.name for module in wish.named]
    hosts = sorted(found.selected & set(found.snapshot.observations))
    return {
        host: readings(
            [d for name, d in found.descriptions[host].modules.items() if name in names],
            wish.lines,
            len(hosts),
        )
        for host in hosts
    }


def _drift(
    workspace: Workspace, wish: Wish, present: frozenset[str], left_out: dict[str, str]
) -> tuple[DriftItem, ...]:
    try:
        return items_now(workspace, DriftRequest(wish.modules, present, all_modules()))
    except KbzError as error:
        left_out["drift.json"] = str(error)
        return ()


def _runs(workspace: Workspace, wish: Wish, left_out: dict[str, str]) -> tuple[Run, ...]:
    """Return the newest runs of the named modules."""
    journal, names = workspace.journal, {module.name for module in wish.named}
    if journal.trouble:
        left_out["journal.json"] = journal.trouble
        return ()
    try:
        records = _newest(journal, names, wish.runs)
        return tuple(Run(r, tuple(journal.hosts(r.number))) for r in records)
    except UNUSABLE as error:
        left_out["journal.json"] = sentence_of(error)
        return ()


def _newest(journal: Journal, names: set[str], most: int) -> list[RunRecord]:
    """Return the newest runs of these modules: there may be any number of other runs between them."""
    asked = most
    while True:
        asked *= 10
        found = journal.find(asked)
        records = [record for record in found if names & set(record.modules)]
        if len(records) >= most or len(found) < asked:
            return records[:most]
