"""`kbz restore`: a service's data as of a time, into an empty place beside the living service."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from keybuzz.engine.backup.deliver import ensure_image
from keybuzz.engine.backup.held import Held, copies_to_use, find
from keybuzz.engine.backup.report import BackupReport, Worked
from keybuzz.engine.backup.take import at_work, chosen, remembered
from keybuzz.engine.backup.work import execution, work_through
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.core.proposed import on_host, proposed
from keybuzz.model.core.visible import one_line
from keybuzz.site.backups.archive import Copy


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore would do, shown before the name is typed."""

    service: str
    cluster: str
    host: str
    copy: Copy
    until: str
    """The time to reach; empty for the last that there is."""
    target: str


def restore(
    workspace: Workspace, service: str, until: str, wanted: str, confirm: Callable[[Plan], None]
) -> BackupReport:
    """Restore a service's data; RefusedError before anything is written when that would be wrong.

    `confirm` gets the plan, and raises unless the cluster's name was typed. The living service is not touched.
    """
    held = find(workspace, service)
    moment = moment_of(until) if until else None
    with at_work(workspace, "restore", held) as deed:
        copy = start_from(copies_to_use(workspace, held), wanted, moment, service)
        _require_free(workspace, held)
        site, archive = workspace.site, held.archive
        reach = datetime.fromtimestamp(moment, UTC).isoformat(" ") if moment else ""
        confirm(Plan(service, archive.name(site), held.host, copy, reach, archive.place.folder))
        image = ensure_image(workspace, held)
        started = time.monotonic()
        works = tuple(
            work_through(
                workspace, held.host, archive.restore(site, archive.place, copy.id, reach, image)
            )
        )
        problem = problem_of(works)
        reached = "" if problem else _reached(workspace, held)
        report = BackupReport(
            "restore",
            service,
            held.host,
            (copy,),
            works,
            problem,
            hint=on_host(held.host, *archive.opened(site, archive.place)) if not problem else "",
            seconds=time.monotonic() - started,
            reached=reached,
        )
        return remembered(deed, report)


def moment_of(text: str) -> float:
    """Return a time in seconds since the epoch; without a zone it is this machine's own time of day."""
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is no time",
            hint="write it as 2026-11-30T12:00:06 or 2026-11-30T12:00:06+01:00",
        ) from None


def start_from(copies: tuple[Copy, ...], wanted: str, moment: float | None, service: str) -> Copy:
    """Return the backup to start from: the named one, or the newest of the living cluster that ended before the time.

    One of another cluster must be named: after a rebuild from zero those are the ones that hold the data.
    """
    if moment is not None and moment > time.time():
        raise RefusedError(
            "that time has not come yet",
            where=service,
            hint="leave out --to-time: all that was received is replayed",
        )
    early = [copy for copy in copies if moment is None or copy.ended < moment]
    if wanted:
        copy = chosen(copies, wanted, service)
        if copy.wrong:
            raise RefusedError(
                f"{copy.id} must not be restored: {copy.wrong}",
                where=service,
                hint=proposed("kbz", "backup", "list", service),
            )
        if copy not in early:
            raise RefusedError(
                f"{copy.id} ended after that time, and cannot reach it",
                where=service,
                hint="leave out --backup: the newest before the time is taken",
            )
        return copy
    usable = [copy for copy in early if not copy.against]
    if not usable:
        raise _none_usable(copies, early, service)
    return usable[-1]


def _none_usable(copies: Sequence[Copy], early: Sequence[Copy], service: str) -> RefusedError:
    why = "; ".join(f"{copy.id} {copy.against}" for copy in copies[-3:] if copy.against)
    foreign = [copy.id for copy in early if copy.foreign and not copy.wrong]
    named = proposed("kbz", "restore", service, "--backup", foreign[-1]) if foreign else ""
    return RefusedError(
        f"no good backup ended before that time{f': {why}' if why else ''}",
        where=service,
        hint=f"{named} brings the other cluster's data back, beside the living one"
        if named
        else proposed("kbz", "backup", "list", service),
    )


def _require_free(workspace: Workspace, held: Held) -> None:
    done = execution(workspace, held.host, held.archive.free(held.archive.place))
    if done.exit_code != 0:
        raise taken(held, one_line(done.stdout.strip()))


def taken(held: Held, found: str) -> RefusedError:
    """Return the refusal of a place that is not empty; it names all that must go, so that one refusal is enough."""
    return RefusedError(
        f"a restore goes into an empty place: {found}",
        where=f"{held.host}:{held.archive.place.folder}",
        hint=f"when its owner agrees, take away what is there of {held.archive.place.leaves}; nothing was changed",
    )


def problem_of(works: tuple[Worked, ...]) -> str:
    """Return why a restore did not end well; empty when it did, though something optional failed."""
    last = works[-1]  # what is needed and fails is the last
    return "" if last.good else f"{last.name}: {last.said}"


def _reached(workspace: Workspace, held: Held) -> str:
    return one_line(
        execution(
            workspace, held.host, held.archive.reached(workspace.site, held.archive.place)
        ).stdout.strip()
    )
