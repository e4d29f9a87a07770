"""How a host, a step or a run ended, and the one function that turns outcomes into an exit code."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, IntEnum


class Outcome(Enum):
    """The closed vocabulary of endings. Its words appear in every output."""

    OK = "ok"
    CHANGED = "changed"
    FAILED = "failed"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    """Contact was lost inside a step: it may or may not have taken effect."""
    SKIPPED = "skipped"
    """Never tried, because something before it stopped the run."""


class ExitCode(IntEnum):
    """Exit codes of every verb."""

    GOOD = 0
    FAILED = 1
    DIFFERENT = 2
    REFUSED = 3
    UNREACHABLE = 4
    USAGE = 64
    INTERRUPTED = 130


_SEVERITY = (
    (Outcome.REFUSED, ExitCode.REFUSED),
    (Outcome.FAILED, ExitCode.FAILED),
    (Outcome.UNREACHABLE, ExitCode.UNREACHABLE),
    (Outcome.UNKNOWN, ExitCode.UNREACHABLE),
    (Outcome.SKIPPED, ExitCode.FAILED),
)


def exit_code(outcomes: Iterable[Outcome]) -> ExitCode:
    """Return the last word of a run: the worst outcome decides; no outcome at all is a failure."""
    seen = set(outcomes)
    if not seen:
        return ExitCode.FAILED
    for outcome, code in _SEVERITY:
        if outcome in seen:
            return code
    return ExitCode.GOOD
