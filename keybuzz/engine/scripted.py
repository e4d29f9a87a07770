"""What a task of a script needs before it changes a host: the leases and the entry in the journal that a verb has.

Hosts that are at work at the same time share both: the first takes the leases of all hosts that the Nornir object has
and begins the entry; the last one at work gives them back and ends it. When no host is at work both end, although hosts
may be still to come (fewer workers than hosts, a serial runner): a task cannot know which hosts its run has, because
the task of a script may call it on some of them only, and a lease kept for a host that never comes would be held until
the script ends. A lease that is held is refused in the words of the command line, because the same functions take it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from keybuzz.engine.memory.claims import claimed, spoken
from keybuzz.engine.memory.forgetful import read_or
from keybuzz.engine.memory.journal import HostRecord, Journal
from keybuzz.engine.memory.outcomes import in_journal, know_end, tell
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import ContactError, RefusedError, sentence_of
from keybuzz.model.core.outcome import Outcome, exit_code
from keybuzz.site.module import Module

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.task import Task

    from keybuzz.engine.change.steps import StepResult


@dataclass(slots=True)
class _Held:
    """What the hosts of one run share."""

    workspace: Workspace
    number: int
    """Of the journal."""
    leaving: ExitStack
    inside: int = 0
    """Hosts at work."""
    records: dict[str, HostRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changing:
    """One host's part of a run."""

    journal: Journal
    """It knows the run's number."""
    done: list[StepResult] = field(default_factory=list)
    """To be filled with what is done on the host."""


class Scripted:
    """Holds the leases and the journal's entry of one kind of task for the hosts that run it together."""

    def __init__(self, verb: str, module: Module) -> None:
        self._verb = verb
        self._module = module
        self._turn = threading.Lock()
        self._held: WeakKeyDictionary[Nornir, _Held] = WeakKeyDictionary()

    @contextmanager
    def changing(self, task: Task) -> Iterator[Changing]:
        """Yield the part of the task's host, which may be changed inside the block and nowhere else.

        RefusedError where another run holds a lease; the journal's own error where the entry cannot be written.
        """
        held = self._enter(task.nornir)
        changing = Changing(held.workspace.journal)
        record = HostRecord(task.host.name, Outcome.OK, 0, "")
        try:
            yield changing
            record = _record(task.host.name, changing.done)
        except BaseException as error:
            changed = _changed(changing.done)
            record = HostRecord(task.host.name, _outcome(error), changed, sentence_of(error))
            raise
        finally:
            self._leave(task.nornir, held, record)

    def _enter(self, nornir: Nornir) -> _Held:
        with self._turn:
            held = self._held.get(nornir)
            if held is None:
                held = self._held[nornir] = self._take(nornir)
            held.inside += 1
            return held

    def _take(self, nornir: Nornir) -> _Held:
        workspace = self._workspace(nornir)
        hosts = frozenset(nornir.inventory.hosts)
        failed = set(nornir.data.failed_hosts)  # the leases are taken by tasks, too
        with ExitStack() as stack:
            try:
                stack.enter_context(claimed(workspace, spoken(self._verb, (self._module,)), hosts))
            finally:
                nornir.data.failed_hosts.update(failed)
            number = stack.enter_context(in_journal(workspace, self._verb, (self._module,)))
            return _Held(workspace, number, stack.pop_all())

    def _leave(self, nornir: Nornir, held: _Held, record: HostRecord) -> None:
        with self._turn:
            held.records[record.host] = record
            held.inside -= 1
            if held.inside:
                return
            del self._held[nornir]
            with held.leaving:
                _end(held, self._verb)

    def _workspace(self, nornir: Nornir) -> Workspace:
        known = nornir.config.user_defined
        site = known["site"]
        redactor = known.get("redactor")
        command = f"{Path(sys.argv[0]).name}: {self._module.name}.{self._verb}"
        return Workspace(
            site,
            nornir,
            Journal(site.settings.state / "journal.sqlite"),
            lambda event: None,
            command if redactor is None else redactor.text(command),
        )


def _end(held: _Held, verb: str) -> None:
    """Write how each host ended, and tell the hooks."""
    work, number = held.workspace, held.number
    know_end(work)
    code = int(exit_code(record.outcome for record in held.records.values()))
    end = (number, work.clock(), code, held.records, "", "")
    read_or(work.journal, lambda: work.journal.end(*end), None)
    tell(work, number, {"verb": verb, "run": number, "command": work.command, "exit_code": code})


def _record(host: str, done: list[StepResult]) -> HostRecord:
    bad = next((r for r in done if r.outcome not in (Outcome.OK, Outcome.CHANGED)), None)
    if bad is not None:
        return HostRecord(host, bad.outcome, _changed(done), f"{bad.change.identity}: {bad.what}")
    changed = _changed(done)
    return HostRecord(host, Outcome.CHANGED if changed else Outcome.OK, changed, "")


def _changed(done: list[StepResult]) -> int:
    return sum(result.outcome is Outcome.CHANGED for result in done)


def _outcome(error: BaseException) -> Outcome:
    if isinstance(error, RefusedError):
        return Outcome.REFUSED
    return Outcome.UNREACHABLE if isinstance(error, ContactError) else Outcome.FAILED
