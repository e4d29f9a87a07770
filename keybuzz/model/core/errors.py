"""Errors that a user may see: what is wrong, where, and what to do next.

KbzError
├── InputError     a file or an argument is wrong           exit 64 (argument) or 1
├── RefusedError   a policy or a guard forbids it           exit 3
├── ContactError   a host did not answer, or stopped to     exit 4
├── StepError      a host answered that a step failed       exit 1
└── StoppedError   the operator or the clock ended it       exit 130
"""

from __future__ import annotations

from keybuzz.model.core.outcome import ExitCode


class KbzError(Exception):
    """Base of all errors that reach the user as a sentence, never as a traceback."""

    code: ExitCode = ExitCode.FAILED

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    @property
    def sentence(self) -> str:
        """What is wrong and what to do next, on one line, without the place."""
        return f"{self.what} → {self.hint}" if self.hint else self.what

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f"\n  → {self.hint}" if self.hint else ""
        return f"{place}{self.what}{advice}"


class InputError(KbzError):
    """A file of the site, or something typed, can not be used. Nothing was changed."""


class UsageError(InputError):
    """An argument is wrong."""

    code = ExitCode.USAGE


class RefusedError(KbzError):
    """A rule or a guard says no. The hint names the way out."""

    code = ExitCode.REFUSED


class ContactError(KbzError):
    """A host can not be reached, or was lost; `inside_step` says that a step may have half happened."""

    code = ExitCode.UNREACHABLE

    def __init__(
        self, what: str, *, where: str = "", hint: str = "", inside_step: bool = False
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.inside_step = inside_step


class StepError(KbzError):
    """A host answered, and its answer is that the step did not work."""


class StoppedError(KbzError):
    """The operator asked to stop (Ctrl-C) or the run's time is over: no further stage begins."""

    code = ExitCode.INTERRUPTED
