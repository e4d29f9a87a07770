"""`kbz backup run`, `list` and `verify`: each does its work, and ends with what backups there are then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from keybuzz.engine.backup.deliver import ensure_image
from keybuzz.engine.backup.held import (
    ALL,
    Held,
    answers_of,
    copies_of,
    copies_to_use,
    find,
    listed_before,
    services_of,
)
from keybuzz.engine.backup.report import BackupReport, Worked
from keybuzz.engine.backup.work import require_going_on, work_through
from keybuzz.engine.memory.claims import claimed_when_met
from keybuzz.engine.memory.deeds import Deed, in_history
from keybuzz.engine.memory.forgetful import read_or
from keybuzz.engine.memory.journal import HostRecord
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import KbzError, RefusedError, StoppedError, UsageError
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.proposed import proposed
from keybuzz.site.backups.archive import Archive, Copy
from keybuzz.transport.link import hide_of


def listed(workspace: Workspace, service: str) -> BackupReport:
    """Return what backups there are; nothing is changed."""
    held = find(workspace, service)
    return BackupReport("list", service, held.host, copies_of(workspace, held))


def run(workspace: Workspace, service: str) -> BackupReport:
    """Take a backup. One that was cut off stays listed as not whole, and the next run takes another."""
    held = find(workspace, service)
    with at_work(workspace, "run", held, held.archive.sources(workspace.site)) as deed:
        answers = answers_of(workspace, held)
        before = listed_before(workspace, held, answers)
        image = ensure_image(workspace, held)
        taking = held.archive.take(workspace.site, answers, image)
        again = partial(answers_of, workspace, held)
        works = tuple(work_through(workspace, held.host, taking, again))
        copies = copies_of(workspace, held)
        new = [copy for copy in copies if copy.id not in before]
        good = bool(new) and not new[-1].against and all(work.good for work in works)
        problem = "" if good else _why(works, new)
        return remembered(deed, BackupReport("run", service, held.host, copies, works, problem))


def _why(works: tuple[Worked, ...], new: list[Copy]) -> str:
    failed = [work for work in works if not work.good]
    if failed:
        return f"{failed[0].name}: {failed[0].said}"
    return f"{new[-1].id}: {new[-1].against}" if new else "no new backup is there"


def each(
    workspace: Workspace,
    service: str,
    act: Callable[[str], BackupReport],
    tell: Callable[[BackupReport], None],
) -> ExitCode:
    """Do the same for a service, or for all of the site; of all, one that fails never stops the others."""
    if service != ALL:
        report = act(service)
        tell(report)
        return report.code
    codes = []
    for name in services_of(workspace, service):
        require_going_on(workspace)
        try:
            report = act(name)
        except StoppedError:
            raise
        except KbzError as error:
            report = BackupReport("run", name, find(workspace, name).host, (), problem=str(error))
        tell(report)
        codes.append(report.code)
    return max(codes, default=ExitCode.GOOD)


def verify(workspace: Workspace, service: str, wanted: str) -> BackupReport:
    """Read a backup again, the newest that was taken whole or the one that is named, and note what was found."""
    held = find(workspace, service)
    with at_work(workspace, "verify", held) as deed:
        copy = chosen(copies_to_use(workspace, held), wanted, service)
        if not copy.good:
            raise RefusedError(
                f"{copy.id} must not be restored: {copy.wrong}",
                where=held.host,
                hint=proposed("kbz", "backup", "run", service),
            )
        image = ensure_image(workspace, held)
        site, archive = workspace.site, held.archive
        works = tuple(work_through(workspace, held.host, archive.verify(site, copy.id, image)))
        problem = "" if all(work.good for work in works) else _why(works, [])
        if judged(archive, works):
            mark = archive.mark(site, copy.id, problem)
            noted = tuple(work_through(workspace, held.host, (mark,)))
            works += noted
            problem = problem or (_why(noted, []) if not noted[-1].good else "")
        else:
            problem += f"; {copy.id} was not judged, and what was noted of it before stays"
        copies = copies_of(workspace, held)
        return remembered(deed, BackupReport("verify", service, held.host, copies, works, problem))


def judged(archive: Archive, works: tuple[Worked, ...]) -> bool:
    """Return whether a verification says something of the backup: that it is whole, or that it is damaged.

    What ended it otherwise (Docker, memory, time) says nothing, and must not condemn the backup.
    """
    failed = [work for work in works if not work.good]
    return not failed or archive.damaged(failed[0].exit_code, failed[0].said)


def chosen(copies: tuple[Copy, ...], wanted: str, service: str) -> Copy:
    """Return the backup that is named, or the newest whole one of the living cluster; the error says what there is."""
    if wanted:
        found = [copy for copy in copies if copy.id == wanted]
        if not found:
            known = ", ".join(copy.id for copy in copies[-5:]) or "none"
            raise UsageError(f"there is no backup {wanted} of {service}", hint=f"there is: {known}")
        return found[0]
    good = [copy for copy in copies if copy.good and not copy.foreign]
    if not good:
        others = [f"{copy.id} {copy.foreign}" for copy in copies if copy.good]
        raise RefusedError(
            f"no backup of {service} was taken whole{f': {others[-1]}' if others else ''}",
            where=service,
            hint=proposed("kbz", "backup", "run", service),
        )
    return good[-1]


@contextmanager
def at_work(
    workspace: Workspace, verb: str, held: Held, sources: frozenset[str] = frozenset()
) -> Iterator[Deed]:
    """Hold the lease of the backups' host and of the sources, and keep the verb in the journal while it is at work."""
    words = proposed("kbz", *_named(verb).split(), held.archive.service)
    line = str(hide_of(workspace.nornir.config.user_defined)(workspace.command))
    begun: list[Deed] = []
    try:
        with (
            claimed_when_met(workspace, words, sources | {held.host}),
            in_history(workspace.journal.path, _named(verb), line, workspace.site.root) as deed,
        ):
            begun.append(deed)
            yield deed
    finally:
        for deed in begun:
            _told(workspace, deed, _named(verb), held.archive.service, line)


def _told(workspace: Workspace, deed: Deed, verb: str, service: str, line: str) -> None:
    """Tell the receivers of site.yaml how it ended; what went wrong is said after the verb's own words."""
    hosts = {
        host: {"outcome": item.outcome.value, "changed": item.changes, "what": item.what}
        for host, item in deed.hosts.items()
    }
    document = {
        "verb": verb,
        "run": deed.number,
        "exit_code": deed.exit_code,
        "modules": [service],
        "command": line,
        "error": None if hosts else deed.note,
        "hosts": hosts,
    }
    journal, cuts = workspace.journal, workspace.cuts
    warnings: tuple[str, ...] = ()
    if workspace.site.settings.receivers:
        from keybuzz.engine.notify.teller import notify

        with cuts.during():
            warnings = notify(workspace.site, document, cuts)
    if warnings:
        read_or(journal, lambda: journal.add_note(deed.number, "\n".join(warnings)), None)
    troubles = (*journal.trouble.splitlines(), deed.trouble, *warnings)
    journal.trouble = "\n".join(dict.fromkeys(filter(None, troubles)))


def _named(verb: str) -> str:
    """Return the verb as the history has it."""
    return "drill restore" if verb == "drill" else f"backup {verb}"


def remembered(deed: Deed, report: BackupReport) -> BackupReport:
    """Return the report after the journal has its end."""
    good = not report.problem
    outcome = Outcome.CHANGED if good else Outcome.FAILED
    code = ExitCode.GOOD if good else ExitCode.FAILED
    record = HostRecord(report.host, outcome, int(good), report.problem)
    deed.ended({report.host: record}, int(code))
    return report
