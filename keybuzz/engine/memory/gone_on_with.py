"""Whether a run of a saved plan has changed anything: only then may the hosts differ from what the plan has seen."""

from __future__ import annotations

from keybuzz.engine.memory.journal import Journal
from keybuzz.model.core.outcome import ExitCode, Outcome

_AT_WORK = (Outcome.FAILED, Outcome.UNKNOWN)
"""Ends of a host on which a step was tried: a part of it may have been done."""
_CUT_OFF = (int(ExitCode.FAILED), int(ExitCode.INTERRUPTED))
"""How a run ends that broke off before it knew how its hosts ended."""


def is_part_done(journal: Journal, number: int) -> bool:
    """Return whether a run, or one that it went on with, has changed a host, or nothing is known of that."""
    while number:
        if _may_have_changed(journal, number):
            return True
        scope = journal.scope(number)
        earlier = scope.since if scope is not None else 0
        number = earlier if earlier < number else 0
    return False


def _may_have_changed(journal: Journal, number: int) -> bool:
    record = journal.run(number)
    if record is None:
        return False
    if hosts := journal.hosts(number):
        return any(host.changes or host.outcome in _AT_WORK for host in hosts)
    return record.exit_code is None or record.exit_code in _CUT_OFF
