"""What each exit code means and what to do then: for `kbz explain` and for the reference. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keybuzz.model.core.outcome import ExitCode


@dataclass(frozen=True, slots=True)
class CodeInfo:
    """One exit code in words."""

    title: str
    means: str
    next_step: str


CODES: Mapping[ExitCode, CodeInfo] = {
    ExitCode.GOOD: CodeInfo(
        "good",
        "Everything that was asked for is so. plan and drift: no difference. health: nothing is worse than warn.",
        "Nothing.",
    ),
    ExitCode.FAILED: CodeInfo(
        "failed",
        "A step failed, a check is bad after a change, or a file of the site is wrong. "
        "What was done before it stays done.",
        "Read the line of the host that failed and mend that; then `kbz resume`, or the same command again.",
    ),
    ExitCode.DIFFERENT: CodeInfo(
        "differences or unhealthy",
        "plan, drift: something is not as described. health, lb check, secrets stray: something is worse than warn. "
        "Nothing was changed, and the verb itself worked.",
        "`kbz plan` shows each difference, `kbz explain ID` each check.",
    ),
    ExitCode.REFUSED: CodeInfo(
        "refused",
        "A rule or a guard says no: a freeze, a lease that another run holds, a quorum, a typed name, a policy. "
        "Nothing was changed after that point.",
        "The message names the rule and the way out.",
    ),
    ExitCode.UNREACHABLE: CodeInfo(
        "unreachable or unknown",
        "A host did not answer, or contact was lost inside a step, which may or may not have taken effect.",
        "Bring the host back, then the same command again: it reads the state first.",
    ),
    ExitCode.USAGE: CodeInfo(
        "usage",
        "The words of the command are wrong. No host was asked.",
        "The message says what is near; `kbz VERB --help` lists the options.",
    ),
    ExitCode.INTERRUPTED: CodeInfo(
        "interrupted",
        "Ctrl-C, or the run's time was over. The steps at work were brought to their end, no further stage began.",
        "`kbz resume`, or the same command again.",
    ),
}
NAGIOS = {
    0: "OK: nothing is wrong",
    1: "WARNING: a check warns, or drift found differences",
    2: "CRITICAL: a check is critical",
    3: "UNKNOWN: a check is unknown, a host did not answer, or kbz itself failed",
}
"""The codes of `--format nagios`: those that monitoring plugins have."""
