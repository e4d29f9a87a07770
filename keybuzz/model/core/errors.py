"""Errors that a user may see: what is wrong, where, and what to do next.

KbzError
├── InputError         a file or an argument is wrong           exit 64 (argument) or 1
└── SpokenError        may hold words of hosts: one line
    ├── RefusedError   a policy or a guard forbids it           exit 3
    ├── ContactError   a host did not answer, or stopped to     exit 4
    ├── StepError      a host answered that a step failed       exit 1
    └── StoppedError   the operator or the clock ended it       exit 130
"""

from __future__ import annotations

from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.visible import one_line


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
    """A file of the site, or something typed, cannot be used. Nothing was changed."""


class NothingToDoError(KbzError):
    """What was asked for holds, and is empty: `--limit @drifted` where nothing has drifted."""

    code = ExitCode.GOOD


class UsageError(InputError):
    """An argument is wrong."""

    code = ExitCode.USAGE


class SpokenError(KbzError):
    """Base of the errors that hold words of hosts: each part is one line, and nothing in it steers a terminal."""

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(one_line(what), where=one_line(where), hint=one_line(hint))


class RefusedError(SpokenError):
    """A rule or a guard says no. The hint names the way out."""

    code = ExitCode.REFUSED


class ContactError(SpokenError):
    """A host cannot be reached, or was lost; `inside_step` says that a step may have half happened."""

    code = ExitCode.UNREACHABLE

    def __init__(
        self, what: str, *, where: str = "", hint: str = "", inside_step: bool = False
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.inside_step = inside_step


class StepError(SpokenError):
    """A host answered, and its answer is that the step did not work."""


class StoppedError(SpokenError):
    """The operator asked to stop (Ctrl-C) or the run's time is over: no further stage begins."""

    code = ExitCode.INTERRUPTED


def sentence_of(error: BaseException) -> str:
    """Return one line for an error of one host: ours in its own words, any other with its type, as a fault of kbz."""
    if isinstance(error, KbzError):
        return error.sentence
    if isinstance(error, OSError):
        return one_line(f"the system refused something: {error}")
    return one_line(f"kbz found a fault of its own: {type(error).__name__}: {error}")
