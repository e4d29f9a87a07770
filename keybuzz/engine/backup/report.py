"""What a verb of `kbz backup` has done, and what it found. Pure values."""

from __future__ import annotations

from dataclasses import dataclass

from keybuzz.model.core.outcome import ExitCode
from keybuzz.site.backups.archive import Copy


@dataclass(frozen=True, slots=True)
class Worked:
    """One program that was run for it."""

    name: str
    good: bool
    seconds: float
    said: str = ""
    """Its last words where it did not end well."""
    exit_code: int | None = 0
    """None where it ran out of its time."""


@dataclass(frozen=True, slots=True)
class BackupReport:
    """A service's backups, after what was done."""

    verb: str
    service: str
    host: str
    copies: tuple[Copy, ...]
    works: tuple[Worked, ...] = ()
    problem: str = ""
    """Why it did not end well; empty when it did."""
    hint: str = ""
    seconds: float = 0.0
    """How long a restore took: the recovery time."""
    reached: str = ""
    """The last time that restored data holds."""

    @property
    def code(self) -> ExitCode:
        """The exit code of the verb."""
        return ExitCode.FAILED if self.problem else ExitCode.GOOD
