"""How long clients of each service wait while a run restarts its members: from the site's own drills, or as declared.

A drill that stops a member measures what a client sees through the official endpoint. A planned restart is no worse:
the member hands over before it stops. So the longest such time of the drills that the journal keeps is the figure.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.memory.forgetful import read_or
from keybuzz.engine.memory.journal import Journal
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.plan import Change
from keybuzz.model.reports.adoption import Interruption
from keybuzz.model.reports.drill import Scenario, Verdict
from keybuzz.site.module import Module
from keybuzz.site.site import Site

_PLANNED = (Scenario.CONTAINER_STOPPED.value, Scenario.SWITCHOVER.value)
"""Faults in which a member is told to stop, or to hand over, and is not killed."""

NO_STEPS: Mapping[str, frozenset[str]] = {}
Measured = Mapping[str, tuple[float, int]]
"""By module: the longest time without an acknowledged write, and the run that measured it."""


def interruptions(
    changes: Iterable[Change],
    module: Module,
    every_module: Iterable[Module],
    site: Site,
    known: Measured,
    own_steps: Mapping[str, frozenset[str]] = NO_STEPS,
) -> tuple[Interruption, ...]:
    """Return what the changes of one module cost the clients of each service that they interrupt.

    `own_steps` has, by module, the hosts on which these changes come with a step of its own: there they cost no more.
    """
    hosts = {change.host for change in changes if change.disrupts}
    restarted: dict[str, int] = {}
    by_name = {other.name: other for other in every_module}
    for other in _touched(module, by_name.values()):
        members = hosts & {server.name for server in site.members(other.group)}
        if other.name != module.name:
            members -= own_steps.get(other.name, frozenset())
        if members:
            restarted[other.name] = len(members)
    return tuple(_interruption(by_name[name], count, known) for name, count in restarted.items())


def _touched(module: Module, every_module: Iterable[Module]) -> Iterator[Module]:
    """Yield whose members a restart of this module interrupts: Docker, and the host itself, interrupt them all."""
    if module.members_up is not None:
        yield module
    else:
        yield from (other for other in every_module if other.members_up is not None)


def _interruption(module: Module, members: int, known: Measured) -> Interruption:
    cost = module.restart_cost
    waits = 1 if cost is not None and cost.once else members
    if module.name in known:
        seconds, run = known[module.name]
        return Interruption(
            module.name, members, waits * seconds, f"measured by the drill of run {run}"
        )
    if cost is None:
        return Interruption(module.name, members, None, "neither measured nor declared")
    return Interruption(module.name, members, waits * cost.seconds, f"declared: {cost.source}")


def measured(workspace: Workspace) -> Measured:
    """Return what the drills in the journal have measured; a journal that cannot be read has measured nothing."""
    if not workspace.journal.path.exists():
        return {}
    found: dict[str, list[tuple[float, int]]] = defaultdict(list)
    nothing: tuple[tuple[int, str], ...] = ()
    for run, text in read_or(workspace.journal, lambda: _documents(workspace.journal), nothing):
        for name, seconds in _trials(text):
            found[name].append((seconds, run))
    return {name: max(times) for name, times in found.items()}


def _documents(journal: Journal) -> tuple[tuple[int, str], ...]:
    kept = Documents(journal.path)
    return tuple((run, kept.of(run)) for run in kept.runs("drill"))


def _trials(text: str) -> Iterator[tuple[str, float]]:
    """Yield module and seconds of the planned faults of one drill; what is no such document has none."""
    try:
        document = json.loads(text)
        for trial in document["trials"]:
            seconds = trial["seconds_without_writes"]
            recovered = trial["verdict"] == Verdict.RECOVERED.value
            if recovered and trial["scenario"] in _PLANNED and isinstance(seconds, int | float):
                yield str(document["module"]), float(seconds)
    except (ValueError, KeyError, TypeError):
        return
