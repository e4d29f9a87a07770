"""Whether a schedule looks, from its files and from the journal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from keybuzz.engine.schedule.schedule import DRIFT, EVERY, Every, Watch, patience
from keybuzz.model.core.outcome import ExitCode, Outcome

if TYPE_CHECKING:
    from keybuzz.engine.memory.journal import Journal, RunRecord

_HEAD = re.compile(r"# kbz (\w+): every (\S+), jitter (\d+), deadline (\d+)\n# (kbz .+)\n")
_FAR_BACK = 5000
"""Runs that are looked through for one of the schedule."""
_LOOKED = (ExitCode.GOOD, ExitCode.DIFFERENT, ExitCode.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class ScheduleStatus:
    """Whether it looks by itself, and whether that works."""

    verb: str

    program: str
    """`systemd` or `cron`; empty when nothing is scheduled."""
    every: str
    since: float | None
    """When the schedule was written: seconds since the epoch."""
    last: RunRecord | None
    """The newest run of the schedule, however it ended; of anybody's where nothing is scheduled."""
    last_look: RunRecord | None
    """The newest of them that has looked."""
    present: int
    """What that run found: of drift things, of health hosts."""
    due: float | None
    """When the next begins, before its jitter."""
    overdue: bool

    @property
    def good(self) -> bool:
        """True when it is scheduled and has looked lately."""
        return bool(self.program) and not self.overdue


def schedule_status(watch: Watch, journal: Journal, into: Path, now: float) -> ScheduleStatus:
    """Return the status at a moment, from the files and the journal."""
    program, path, found = _installed(watch, into)
    runs = journal.find(_FAR_BACK, verb=watch.verb)
    if found:
        runs = tuple(record for record in runs if record.arguments == (found[5],))
    look = next((record for record in runs if record.exit_code in _LOOKED), None)
    present = _present(watch, journal, look.number) if look else 0
    last = runs[0] if runs else None
    if not found:
        return ScheduleStatus(watch.verb, "", "", None, last, look, present, None, False)
    since, every = path.stat().st_mtime, EVERY[found[2]]
    patient = patience(found[2], int(found[3]), int(found[4]))
    late = now - max(since, look.started if look else 0.0) > patient
    due = next_due(every, now)
    return ScheduleStatus(watch.verb, program, found[2], since, last, look, present, due, late)


def _present(watch: Watch, journal: Journal, run: int) -> int:
    """Return how much a run found."""
    if watch == DRIFT:
        return sum(item.standing.value in ("new", "still") for item in journal.drift(run))
    return sum(record.outcome is not Outcome.OK for record in journal.hosts(run))


def _installed(watch: Watch, into: Path) -> tuple[str, Path, re.Match[str] | None]:
    """Return which program has a schedule of ours, in which file, and what its head says."""
    for program, path in (("systemd", into / watch.timer), ("cron", into / watch.cron)):
        found = _HEAD.match(path.read_text(encoding="utf-8")) if path.is_file() else None
        if found and found[1] == watch.verb and found[2] in EVERY:
            return program, path, found
    return "", into, None


def next_due(every: Every, now: float) -> float:
    """Return when the next run begins, in this machine's own time of day."""
    here = datetime.fromtimestamp(now)  # noqa: DTZ006 # hours as the clock shows them, also on a day that changes it
    moment = here.replace(hour=every.first_hour, minute=0, second=0, microsecond=0, fold=0)
    moment -= timedelta(days=1)
    while moment.timestamp() <= now:
        moment += timedelta(seconds=every.seconds)
    return moment.timestamp()
