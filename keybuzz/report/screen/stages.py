"""The stages that a run would take, numbered in their order. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.model.reports.stages import PlannedStage, StageWork
from keybuzz.report.screen.fit import WIDTH, broken
from keybuzz.report.screen.hosts import MOST, count, ranges

_INDENT = 6
_FEW = 3
"""Hosts of a stage that are told with their roles."""


def stages_text(stages: Iterable[PlannedStage], width: int = WIDTH) -> str:
    """Return a line for each stage: what it does where, and what it interrupts; empty without any.

    What a run does not reach, because it refuses something before, has no number.
    """
    lines: list[str] = []
    number = 0
    for stage in stages:
        numbered = stage.reached and not stage.open
        number += numbered
        head = f"{number:>4}. " if numbered else f"{'':4}  "
        lines += broken(f"{head}{stage.module}: {_words(stage)}", width, _INDENT)
    return "\n".join(["stages of a run", *lines]) if lines else ""


def _words(stage: PlannedStage) -> str:
    if stage.refused:
        return f"refused: {stage.refused}"
    done = count(sum(work.changes for work in stage.work), "change")
    interrupts = sorted({name for work in stage.work for name in work.interrupts})
    cost = f"; interrupts {', '.join(interrupts)}, whose connections end" if interrupts else ""
    reached = "" if stage.reached else "not reached: "
    then = f"; then {' or '.join(stage.heirs)} leads" if stage.heirs else ""
    return f"{reached}{_place(stage.name, stage.work)}: {done}{cost}{then}"


def _place(name: str, work: tuple[StageWork, ...]) -> str:
    """Return what is done and where; a host that the stage is named by is not told twice."""
    known = [f"{item.host}{_roles(item)}" for item in work]
    if len(work) == 1 and work[0].host in name.split():
        return " ".join(known[0] if word == work[0].host else word for word in name.split())
    where = ", ".join(known)
    if len(work) > _FEW:
        # Of more, the changes above name the hosts.
        where = count(len(work), "host") if len(work) > MOST else ranges(item.host for item in work)
    return f"{name}; {where}"


def _roles(work: StageWork) -> str:
    return f" ({', '.join(work.roles)})" if work.roles else ""
