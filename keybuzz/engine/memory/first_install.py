"""The marks of first installs: one that was cut off is neither virgin nor deployed, and its next run may finish it.

A mark says what it was made for, and counts for nothing else: the module, its members, and the run that was installing
them. It counts no more once the cluster has been green, or when it is old: a mark that was left behind would keep the
freeze off for ever.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from keybuzz.engine.memory.forgetful import UNUSABLE
from keybuzz.engine.memory.journal import Journal
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.visible import one_line
from keybuzz.site.files.private import (
    StateError,
    open_private,
    private_subfolder,
    read_private,
    remove_private,
)

_OLDEST = 7 * 86400.0
"""Seconds in which a first install must go on: after them its mark is forgotten rather than a plan."""
_AHEAD = 3600.0
"""Seconds that a clock may be wrong by."""
_LARGEST = 65536
_LOOKS = ("run", "health", "drift")
"""Verbs whose good end says that the cluster is whole."""
_NEWEST = 500
"""Runs of each that are looked at."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a mark says."""

    module: str
    members: tuple[str, ...]
    run: int
    """Of the journal."""
    since: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Marked:
    """Whether a first install is under way; `what` says why a mark that is there does not count."""

    counts: bool
    what: str = ""


NOT_MARKED = Marked(False)


@dataclass(frozen=True, slots=True)
class FirstInstalls:
    """The marks of a site."""

    folder: Path
    journal: Journal | None = None
    """Without one, no run is looked up."""
    clock: Callable[[], float] = time.time

    def of(self, module: str, members: Iterable[str]) -> Marked:
        """Return whether a first install of these members is under way. Nothing is written."""
        try:
            content = read_private(self.folder / module, _LARGEST)
            why = self._why_not(_parsed(content), module, tuple(sorted(members)))
        except FileNotFoundError:
            return NOT_MARKED
        except StateError as error:
            why = error.sentence
        except UNUSABLE as error:
            why = f"it cannot be checked: {one_line(str(error))}"
        if not why:
            return Marked(True)
        return Marked(False, f"the mark {self.folder / module} of a first install: {why}")

    def _why_not(self, mark: Mark | None, module: str, members: tuple[str, ...]) -> str:
        if mark is not None:
            return self._objection(mark, module, members)
        lifted = proposed("kbz", "resume", "--lift-freeze", module)
        return (
            "it does not say what it was made for, as one of an older kbz; if that install was cut off, "
            f"{lifted} --reason 'who decided it, and why' finishes it"
        )

    def begin(self, module: str, members: Iterable[str]) -> None:
        """Write that a first install begins; one that is under way keeps its mark."""
        chosen = tuple(sorted(members))
        if self.of(module, chosen).counts:
            return
        private_subfolder(self.folder)
        self.end(module)
        run = self.journal.begun if self.journal is not None else 0
        record = {"module": module, "members": chosen, "run": run, "since": self.clock()}
        descriptor = open_private(self.folder / module, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(record, stream)

    def end(self, module: str) -> None:
        """Remove the mark, if there is one: the install is complete."""
        remove_private(self.folder / module)

    def _objection(self, mark: Mark, module: str, members: tuple[str, ...]) -> str:
        """Return why a mark does not count; empty when it does."""
        if (mark.module, mark.members) != (module, members):
            return f"it was made for {mark.module} on {', '.join(mark.members)}"
        age = self.clock() - mark.since
        if not -_AHEAD <= age <= _OLDEST:
            return f"it is {int(age // 86400)} days old"
        if self.journal is None:
            return ""
        if self.journal.run(mark.run) is None:
            return f"the journal does not know run {mark.run}, which made it"
        green = _green_since(self.journal, mark)
        return f"the cluster has been green since, in run {green}" if green else ""


def first_installs(workspace: Workspace) -> FirstInstalls:
    """Return the marks of a command's site."""
    folder = workspace.site.settings.state / "first-installs"
    return FirstInstalls(folder, workspace.journal, workspace.clock)


def _green_since(journal: Journal, mark: Mark) -> int:
    """Return a run since the mark that found the module as it must be on every member; 0 when there is none."""
    members = set(mark.members)
    for verb in _LOOKS:
        for record in journal.find(_NEWEST, verb=verb):
            if record.number < mark.run:
                break
            if record.exit_code != int(ExitCode.GOOD) or mark.module not in record.modules:
                continue
            if members <= {item.host for item in journal.hosts(record.number)}:
                return record.number
    return 0


def _parsed(content: bytes) -> Mark | None:
    """Return what a mark says; None for one that says nothing."""
    try:
        told = json.loads(content)
        members = tuple(str(member) for member in told["members"])
        return Mark(str(told["module"]), members, int(told["run"]), float(told["since"]))
    except (ValueError, TypeError, KeyError):
        return None
