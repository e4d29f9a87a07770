"""The answers of the verbs that look, kept whole in the journal, so that they can be shown without asking a host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.memory.journal import LOOKED, Journal
from keybuzz.model.core.errors import InputError
from keybuzz.model.core.finding import Finding
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.record import FORMAT_VERSION, finding_of

VERBS = ("health", "drift")
"""Whose answers are kept."""


@dataclass(frozen=True, slots=True)
class LastLook:
    """An answer that was given."""

    run: int
    moment: float
    """When it was given, in seconds since 1970."""
    document: Mapping[str, Any]
    """What `--format json` of the verb printed."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a look asked for."""

    modules: frozenset[str]
    hosts: frozenset[str]

    def covers(self, other: _Scope) -> bool:
        return other.modules <= self.modules and other.hosts <= self.hosts


def keep_look(
    journal: Journal, documents: Documents, run: int, document: Mapping[str, Any]
) -> None:
    """Keep the answer of a run that has ended, in place of earlier ones of its verb that asked for no more.

    A run that could not look leaves the earlier ones as they are: what is known grows old, and its moment says so.
    """
    record = journal.run(run)
    if record is None or record.verb not in VERBS or record.exit_code not in LOOKED:
        return
    documents.keep(run, json.dumps(document, ensure_ascii=False, separators=(",", ":")))
    scope = _scope(journal, run)
    earlier = (number for number in documents.runs(record.verb) if number < run)
    documents.forget([number for number in earlier if scope.covers(_scope(journal, number))])


def last_look(
    journal: Journal, documents: Documents, verb: str, servers: frozenset[str]
) -> LastLook | None:
    """Return the answer that asked the most of these servers; of several, for the most modules, and then the newest.

    So a newer look at one module does not hide the fleet. None when no answer is kept.
    """
    scopes = {run: _scope(journal, run) for run in documents.runs(verb)}
    widest = max(
        scopes,
        key=lambda run: (len(scopes[run].hosts & servers), len(scopes[run].modules), run),
        default=None,
    )
    return None if widest is None else _read(journal, documents, widest)


def findings_before(
    journal: Journal,
    documents: Documents,
    verb: str,
    modules: frozenset[str],
    hosts: frozenset[str],
) -> tuple[Finding, ...] | None:
    """Return what the newest answer found of these modules that asked at least this much; None when none is kept."""
    asked = _Scope(modules, hosts)
    for run in documents.runs(verb):
        if not _scope(journal, run).covers(asked):
            continue
        try:
            answer = _read(journal, documents, run)
        except InputError:  # of another version: nothing can be compared with it
            return None
        found = () if answer is None else map(finding_of, answer.document["findings"])
        return tuple(f for f in found if f.check.partition(".")[0] in modules)
    return None


def _scope(journal: Journal, run: int) -> _Scope:
    record = journal.run(run)
    modules = () if record is None else record.modules
    return _Scope(frozenset(modules), frozenset(item.host for item in journal.hosts(run)))


def _read(journal: Journal, documents: Documents, run: int) -> LastLook | None:
    record, text = journal.run(run), documents.of(run)
    if record is None or not text:
        return None  # forgotten in this moment
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"the answer of run {run} cannot be read: it is damaged, or of another version of kbz",
            where=str(journal.path),
            hint=f"{proposed('kbz', record.verb)} makes a new one",
        )
    return LastLook(run, record.ended or record.started, document)
