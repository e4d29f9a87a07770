"""From what happened to a report, and from a report to the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from keybuzz.engine.hooks import QUIET, run_after, run_before
from keybuzz.engine.look.looks import keep_look
from keybuzz.engine.look.resting import in_maintenance
from keybuzz.engine.look.survey import Survey
from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.memory.forgetful import read_or
from keybuzz.engine.memory.journal import HostRecord
from keybuzz.engine.memory.scope import Scope
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import KbzError, sentence_of
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.plan import Plan
from keybuzz.model.core.record import FORMAT_VERSION, plan_text, report_document
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.site.module import Module
from keybuzz.site.parameters.own import KEEP_DAYS

LOOKING = ("health", "drift")
"""Verbs that go on when they cannot be remembered."""
_DAY = 86400.0


def report_of(
    workspace: Workspace,
    verb: str,
    found: Survey,
    hosts: dict[str, HostReport],
    seconds: float,
    plan: Plan | None = None,
) -> Report:
    """Return the report of a survey."""
    return Report(
        verb=verb,
        modules=tuple(module.name for module in found.modules),
        hosts=hosts,
        plan=found.plan if plan is None else plan,
        findings=found.findings,
        topologies=found.topologies,
        seconds=seconds,
        round_trips=workspace.round_trips(),
        resting=_resting(workspace, found),
    )


def _resting(workspace: Workspace, found: Survey) -> dict[str, str]:
    """Return the hosts in maintenance among those that the survey asked, and among their clusters' members."""
    here = in_maintenance(workspace.site, workspace.clock())
    asked = found.selected | found.descriptions.keys()
    return {host: entry.words for host, entry in sorted(here.items()) if host in asked}


@contextmanager
def in_journal(
    workspace: Workspace, verb: str, modules: Iterable[Module], scope: Scope | None = None
) -> Iterator[int]:
    """Begin an entry of the journal and yield its number; what leaves no report ends it in its own words.

    Hooks are told before the block, and can refuse it; `remember` tells hooks and receivers after it. The number of a
    look that cannot be remembered is 0; any other verb does not begin then.
    """
    names = tuple(module.name for module in modules)
    cuts = workspace.cuts
    with cuts.during():
        number = _begun(workspace, verb, names, scope)
        begun = {
            "format_version": FORMAT_VERSION,
            "verb": verb,
            "run": number,
            "modules": list(names),
            "command": workspace.command,
        }
        try:
            cuts.allow()
            if verb not in QUIET:
                run_before(workspace.site, begun)
            yield number
        except BaseException as error:
            cuts.forbid()
            if not cuts.end_is_known:
                _end_badly(workspace, begun, *_words(error))
            raise


def _words(error: BaseException) -> tuple[int, str]:
    """Return the exit code and the note of a run that leaves no report."""
    if isinstance(error, KbzError):
        return int(error.code), str(error)
    if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
        return int(ExitCode.INTERRUPTED), "interrupted"
    return int(ExitCode.FAILED), sentence_of(error)


def _begun(workspace: Workspace, verb: str, names: tuple[str, ...], scope: Scope | None) -> int:
    journal, root, now = workspace.journal, workspace.site.root, workspace.clock()
    keep_after = forgotten_before(workspace, now)

    def begin() -> int:
        return journal.begin(verb, (workspace.command,), names, now, root, keep_after, scope)

    return read_or(journal, begin, 0) if verb in LOOKING else begin()


def _end_badly(workspace: Workspace, begun: dict[str, Any], code: int, text: str) -> None:
    """End the entry of a run that leaves no report, and tell the hooks and the receivers."""
    number = begun["run"]
    if number:
        journal, now = workspace.journal, workspace.clock()
        read_or(journal, lambda: journal.end(number, now, code, {}, "", text), None)
    tell(workspace, number, {**begun, "exit_code": code, "error": text})


def forgotten_before(workspace: Workspace, now: float) -> float | None:
    """Return the moment before which the journal may forget runs; None where site.yaml says nothing."""
    days = KEEP_DAYS.of(workspace.site)
    return None if days is None else now - days * _DAY


def tell(workspace: Workspace, number: int, document: dict[str, Any]) -> tuple[str, ...]:
    """Tell the hooks, and the receivers of site.yaml, how a run ended; return their warnings.

    The journal keeps them too.
    """
    site = workspace.site
    quiet = document["verb"] in QUIET
    warnings = () if quiet else run_after(site, document, workspace.cuts)
    if site.settings.receivers:
        from keybuzz.engine.notify.teller import notify

        warnings = (*warnings, *notify(site, document, workspace.cuts))
    if warnings and number:
        journal = workspace.journal
        read_or(journal, lambda: journal.add_note(number, "\n".join(warnings)), None)
    return warnings


def remember(
    workspace: Workspace,
    number: int,
    report: Report,
    hosts: Mapping[str, HostRecord] | None = None,
) -> Report:
    """Write a report into the journal, a look with its whole answer, and tell of it; return it with its number.

    `hosts` says how they ended, where that is not what the report says of them. The report comes first: what cannot
    be written, or told, is a warning in it, and a signal that comes from here on changes nothing of it.
    """
    know_end(workspace)
    records = hosts or {
        host: HostRecord(host, item.outcome, item.changed, item.what)
        for host, item in report.hosts.items()
    }
    ended = replace(report, number=number)
    if number:
        read_or(workspace.journal, lambda: _write(workspace, ended, records), None)
    document = {**report_document(ended), "command": workspace.command}
    warnings = (*ended.warnings, *tell(workspace, number, document))
    trouble = workspace.journal.trouble
    return replace(ended, warnings=(*warnings, trouble) if trouble else warnings)


def know_end(workspace: Workspace) -> None:
    """Say that how the run ended is known: it is written and told as it is, whatever signal comes."""
    workspace.cuts.forbid()
    workspace.cuts.end_is_known = True


def _write(workspace: Workspace, report: Report, records: Mapping[str, HostRecord]) -> None:
    workspace.journal.end(
        report.number,
        workspace.clock(),
        int(report.exit_code),
        records,
        plan_text(report.plan),
        report.error,
        report.drift.items if report.drift else (),
    )
    documents = Documents(workspace.journal.path)
    keep_look(workspace.journal, documents, report.number, report_document(report))
