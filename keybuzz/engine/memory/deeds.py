"""Commands that are no run of a module: they are in the journal all the same, with who and how they ended."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from keybuzz.engine.cuts import Cuts
from keybuzz.engine.memory.forgetful import read_or
from keybuzz.engine.memory.journal import HostRecord, Journal
from keybuzz.model.core.errors import KbzError
from keybuzz.model.core.outcome import ExitCode


@dataclass
class Deed:
    """One such command while it is at work; what is set here is remembered at its end."""

    number: int
    """Its entry in the journal."""
    hosts: dict[str, HostRecord] = field(default_factory=dict)
    exit_code: int = int(ExitCode.GOOD)
    note: str = ""
    trouble: str = ""
    """Why the journal does not have its end; empty when it has."""

    def ended(self, records: Mapping[str, HostRecord], exit_code: int) -> None:
        """Say how each host ended, and the command."""
        self.hosts.update(records)
        self.exit_code = exit_code

    def failed(self, error: BaseException) -> None:
        """Say what ended the command before it could say so itself."""
        code = error.code if isinstance(error, KbzError) else ExitCode.FAILED
        if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
            code = ExitCode.INTERRUPTED
        self.exit_code, self.note = int(code), str(error) or type(error).__name__


@contextmanager
def in_history(path: Path, verb: str, command: str, root: Path) -> Iterator[Deed]:
    """Keep a command in the journal at `path`, from before it does anything; `root` holds the site's files."""
    journal = Journal(path)
    journal.require_room()
    cuts = Cuts()
    with cuts.during():
        number = journal.begin(verb, (command,), (), time.time(), root)
        deed = Deed(number)
        try:
            cuts.allow()
            yield deed
            cuts.forbid()
        except BaseException as error:
            cuts.forbid()
            deed.failed(error)
            raise
        finally:
            if path.exists():  # `lab down --wipe` takes the journal along
                # What was done is shown first: a journal that takes no end is said, and hides nothing.
                end = (number, time.time(), deed.exit_code, deed.hosts, "", deed.note)
                read_or(journal, lambda: journal.end(*end), None)
                deed.trouble = journal.trouble
