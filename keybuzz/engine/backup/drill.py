"""`kbz drill restore`: the newest backup of a service into a scratch place, counted, measured and taken away again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from keybuzz.engine.backup.deliver import ensure_image
from keybuzz.engine.backup.held import ALL, Held, copies_to_use, find, services_of
from keybuzz.engine.backup.report import Worked
from keybuzz.engine.backup.restore import problem_of, start_from
from keybuzz.engine.backup.take import at_work
from keybuzz.engine.backup.work import execution, require_going_on, work_through
from keybuzz.engine.memory.deeds import Deed
from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.memory.forgetful import read_or
from keybuzz.engine.memory.journal import HostRecord
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import KbzError, StoppedError
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.visible import one_line
from keybuzz.site.backups.archive import Copy


@dataclass(frozen=True, slots=True)
class Drilled:
    """How the restore of one service went."""

    service: str
    host: str
    copy: Copy | None = None
    works: tuple[Worked, ...] = ()
    recovery: float = 0.0
    """Seconds from the first step to data that was read, opened and counted (RTO)."""
    reached: str = ""
    """The last moment that the restored data holds, as its host says it."""
    lost: float | None = None
    """Seconds between that moment and the drill: what a disaster now would have cost (RPO); None where not known."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RestoreDrill:
    """The restores of a drill."""

    services: tuple[Drilled, ...]

    @property
    def code(self) -> ExitCode:
        """The exit code of the verb."""
        bad = any(one.problem for one in self.services)
        return ExitCode.FAILED if bad else ExitCode.GOOD


def drill(workspace: Workspace, service: str, tell: Callable[[Drilled], None]) -> RestoreDrill:
    """Restore the newest backup of one service, or of each that the site has; one never stops the others.

    `tell` gets each as soon as it has ended.
    """
    if service != ALL:
        find(workspace, service)  # a wrong name is an error of its own
    done: list[Drilled] = []
    for name in services_of(workspace, service):
        require_going_on(workspace)
        done.append(_drilled(workspace, name))
        tell(done[-1])
    return RestoreDrill(tuple(done))


def _drilled(workspace: Workspace, service: str) -> Drilled:
    held = find(workspace, service)
    try:
        with at_work(workspace, "drill", held) as deed:
            found = _restored(workspace, held, _newest(workspace, held))
            _remember(deed, found)
            _keep(workspace, deed, found)
            return found
    except StoppedError:
        raise
    except KbzError as error:
        return Drilled(service, held.host, problem=str(error))


def _newest(workspace: Workspace, held: Held) -> Copy:
    """Return the backup that `kbz restore` would take now."""
    return start_from(copies_to_use(workspace, held), "", None, held.archive.service)


def _restored(workspace: Workspace, held: Held, copy: Copy) -> Drilled:
    archive, site, place = held.archive, workspace.site, held.archive.scratch
    image = ensure_image(workspace, held)
    away = archive.away(place)
    # What a drill that was cut off has left is in the way of nothing.
    (first,) = work_through(workspace, held.host, (away,))
    if not first.good:
        return Drilled(archive.service, held.host, copy, (first,), problem=problem_of((first,)))
    started = time.monotonic()
    try:
        works = tuple(
            work_through(workspace, held.host, archive.restore(site, place, copy.id, "", image))
        )
        recovery = time.monotonic() - started
        problem = problem_of(works)
        reached = "" if problem else _reached(workspace, held)
    except Exception:  # a second Ctrl-C cuts the contact, and waits for nothing
        with suppress(KbzError):  # the first error is the one to tell
            execution(workspace, held.host, away)
        raise
    last = tuple(work_through(workspace, held.host, (away,)))
    return Drilled(
        archive.service,
        held.host,
        copy,
        (*works, *last),
        recovery,
        reached,
        _lost(reached),
        problem or problem_of(last),
    )


def _reached(workspace: Workspace, held: Held) -> str:
    asked = held.archive.reached(workspace.site, held.archive.scratch)
    return one_line(execution(workspace, held.host, asked).stdout.strip())


def _lost(reached: str) -> float | None:
    """Return how long ago a moment is, by this machine's clock."""
    try:
        return max(time.time() - datetime.fromisoformat(reached).astimezone().timestamp(), 0.0)
    except (ValueError, OverflowError):
        return None


def _keep(workspace: Workspace, deed: Deed, found: Drilled) -> None:
    """Keep both times beside the journal's row, for the page of `kbz report`."""
    document = {
        "service": found.service,
        "backup": found.copy.id if found.copy else "",
        "problem": found.problem,
        "recovery_seconds": found.recovery,
        "lost_seconds": found.lost,
    }
    journal, text = workspace.journal, json.dumps(document)
    read_or(journal, lambda: Documents(journal.path).keep(deed.number, text), None)


def _remember(deed: Deed, found: Drilled) -> None:
    good = not found.problem
    lost = "not known" if found.lost is None else f"{found.lost:.0f} s"
    copy = found.copy.id if found.copy else ""
    told = f"{copy}: recovery time {found.recovery:.1f} s, lost {lost}"
    outcome = Outcome.OK if good else Outcome.FAILED
    record = HostRecord(found.host, outcome, 0, found.problem)
    code = ExitCode.GOOD if good else ExitCode.FAILED
    deed.ended({found.host: record}, int(code))
    deed.note = told if good else found.problem
