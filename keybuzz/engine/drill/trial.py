"""One trial: write, break one member, wait until the service is back, restore, compare the ledger.

All that it touches stands behind `Ground`, so that its order and its promises are tested without hosts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from keybuzz.engine.drill.ledger import STEADY, Writer
from keybuzz.model.core.errors import KbzError, RefusedError, StoppedError
from keybuzz.model.core.live import Live
from keybuzz.model.core.proposed import proposed
from keybuzz.model.reports.drill import Scenario, Trial, Verdict, Workload
from keybuzz.site.drill import Drill

BASELINE = 20
"""Acknowledged writes before anything is broken."""
BASELINE_TIMEOUT = 30.0
GREEN_TIMEOUT = 300.0
"""Seconds after the fault was taken back until all members must be well again."""
POLL = 0.5


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen in one look."""

    live: Live
    not_green: str = ""
    """Why the drilled cluster is not whole and well; empty when it is."""
    unhealed: str = ""
    """Why it will not become so by itself, once the fault is taken back; empty when it will."""
    troubles: frozenset[str] = frozenset()
    """What was not meant to break: another member lost, another cluster turned red."""


class Ground(Protocol):
    """What a trial stands on."""

    def look(self, victim: str = "", *, silent: bool = False) -> Sight:
        """Ask all hosts; not the victim when it is silent, because no answer would come for a long time."""

    def writer(self, workload: Workload) -> Writer:
        """Return a writer that has not begun."""

    def inject(self, scenario: Scenario, victim: str) -> None:
        """Break it; KbzError when that did not work."""

    def restore(self, scenario: Scenario, victim: str) -> None:
        """Take it back; may be called again, and when nothing was broken."""

    def heal(self, victim: str) -> None:
        """Restart what runs on the victim, as an operator does where a cluster does not heal by itself."""

    def isolated_write(self, victim: str) -> tuple[bool | None, str]:
        """Return whether the cut-off victim accepted a write (None: not tried), and why that may be (empty: never)."""


class _EndedError(Exception):
    """The fault ends early: with a verdict and its reason."""

    def __init__(self, verdict: Verdict, reason: str) -> None:
        super().__init__(reason)
        self.verdict = verdict
        self.reason = reason


@dataclass
class TrialRun:
    """One scenario on one victim."""

    ground: Ground
    drill: Drill
    workload: Workload
    scenario: Scenario
    victim: str
    stop: threading.Event
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    poll: float = POLL
    """Seconds between two looks."""
    messages: list[str] = field(default_factory=list)

    def run(self) -> Trial:
        """Do it; RefusedError before anything was broken when the cluster or the endpoint is not fit."""
        sight = self.ground.look()
        require_green(sight)
        before = self.drill.leader(sight.live) or ""
        writer = self.ground.writer(self.workload)
        try:
            self._baseline(writer)
            return self._broken(writer, before)
        finally:
            writer.stop()
            self._remove(writer)

    def _broken(self, writer: Writer, before: str) -> Trial:
        verdict, leader, restored = Verdict.RECOVERED, "", False
        isolated: bool | None = None
        since = self.clock()
        try:
            try:
                self._tell(f"{self.scenario.value}: {self.victim}")
                self.ground.inject(self.scenario, self.victim)
                leader = self._until_recovered(writer, since)
                isolated, allowed = self._isolated()
                if isolated and not allowed:
                    verdict = Verdict.FAILED
            finally:
                restored = self._restore()
        except _EndedError as ended:
            verdict = ended.verdict
            self.messages.append(ended.reason)
        except StoppedError as stopped:
            verdict = Verdict.ABORTED
            self.messages.append(stopped.what)
        except KbzError as error:
            verdict = Verdict.FAILED
            self.messages.append(error.sentence)
        until = self.clock()
        writer.stop()
        trial = Trial(
            self.scenario,
            self.victim,
            verdict,
            seconds=writer.ledger.gap(since, until),
            limit=self.drill.limit,
            promised=self.workload.promised,
            isolated_accepted=isolated,
            leader_before=before,
            leader_after=leader,
            restored=restored,
        )
        return self._compared(trial, writer)

    def _compared(self, trial: Trial, writer: Writer) -> Trial:
        verdict, tally = trial.verdict, None
        try:
            tally = writer.settle()
        except KbzError as error:
            verdict = Verdict.FAILED
            self.messages.append(f"the ledger could not be read back: {error.what}")
        if tally is not None and tally.lost:
            text = f"{tally.lost} acknowledged writes are lost"
            if self.workload.promised:
                verdict = Verdict.FAILED
                self.messages.append(f"{text}, and none may be")
            else:
                self.messages.append(f"{text}: {self.workload.expectation}")
        if not trial.restored:
            verdict = Verdict.FAILED
        return replace(trial, verdict=verdict, tally=tally, messages=tuple(self.messages))

    def _baseline(self, writer: Writer) -> None:
        """Nothing is broken before the endpoint has acknowledged writes: else the drill would measure its own fault."""
        self._tell(f"writing through {self.workload.address}:{self.workload.port}")
        try:
            writer.start()
        except KbzError as error:
            raise self._unfit(error.what) from error
        deadline = self.clock() + BASELINE_TIMEOUT
        while len(writer.ledger.confirmed) < BASELINE:
            if self.clock() > deadline:
                raise self._unfit(
                    writer.ledger.last_error or f"fewer than {BASELINE} in {BASELINE_TIMEOUT:g} s"
                )
            self._wait()

    def _unfit(self, reason: str) -> RefusedError:
        return RefusedError(
            f"the endpoint does not acknowledge writes: {reason}",
            where=f"{self.workload.address}:{self.workload.port}",
            hint="kbz lb check; nothing was broken",
        )

    def _until_recovered(self, writer: Writer, since: float) -> str:
        """Poll until the module and the ledger agree that the service is back; return who leads then."""
        before: frozenset[str] = frozenset()
        while True:
            # Before each look: who asked for the end while the fault was made must not be told of a recovery.
            self._wait()
            sight = self.ground.look(self.victim, silent=self.scenario.silences)
            # Once may be a slow answer; twice in a row is a fact.
            if doubled := sight.troubles & before:
                raise _EndedError(Verdict.ABORTED, f"aborted: {'; '.join(sorted(doubled))}")
            before = sight.troubles
            elapsed = self.clock() - since
            reason = self.drill.not_recovered(sight.live, self.scenario, self.victim)
            reason = reason or writer.ledger.unsteady(self.clock())
            if reason is None and elapsed >= STEADY:
                return self.drill.leader(sight.live) or ""
            if elapsed > self.drill.limit + STEADY:
                told = reason or "writes were not seen for long enough"
                text = f"not recovered within {self.drill.limit:g} s: {told}"
                raise _EndedError(Verdict.FAILED, text)

    def _isolated(self) -> tuple[bool | None, bool]:
        """Return whether the cut-off victim accepted a write (None: not tried), and whether it may."""
        if self.scenario is not Scenario.LINK_CUT:
            return None, False
        accepted, expectation = self.ground.isolated_write(self.victim)
        if accepted:
            told = expectation or "two members took writes at the same time"
            self.messages.append(f"the isolated {self.victim} accepted a write: {told}")
        return accepted, bool(expectation)

    def _restore(self) -> bool:
        """Take the fault back and wait for green, whatever the operator wants; say afterwards what did not work."""
        deadline = self.clock() + GREEN_TIMEOUT
        taken_back, healed, told = False, False, ""
        while True:
            try:
                if not taken_back:
                    self.ground.restore(self.scenario, self.victim)
                    taken_back = True
                    self._tell(f"restored {self.victim}; waiting for green")
                sight = self.ground.look(self.victim)
                reason = sight.not_green
                if sight.unhealed and not healed:
                    self._heal(sight.unhealed)
                    healed = True
            except KbzError as error:
                reason = error.sentence
            if not reason:
                return True
            if reason != told:
                self._tell(f"not green yet: {reason}")
                told = reason
            if self.clock() > deadline:
                self.messages.append(
                    f"not green {GREEN_TIMEOUT:g} s after it was restored: {reason}"
                )
                return False
            time.sleep(self.poll)

    def _heal(self, reason: str) -> None:
        """Do what an operator must do here, and let the report say so; KbzError when that did not work."""
        what = f"{self.drill.container} on {self.victim}"
        self._tell(f"restarting {what}: {reason}")
        self.ground.heal(self.victim)
        self.messages.append(f"{what} was restarted to heal the cluster: {reason}")

    def _remove(self, writer: Writer) -> None:
        try:
            writer.remove()
        except KbzError as error:
            self._tell(f"the probe could not be removed: {error.what}")

    def _tell(self, sentence: str) -> None:
        """Say it; that it cannot be said, for whatever reason, keeps nothing from being restored."""
        with suppress(Exception):
            self.say(sentence)

    def _wait(self) -> None:
        if self.stop.wait(self.poll):
            raise StoppedError("stopped on request")


def require_green(sight: Sight) -> None:
    """Raise RefusedError when the cluster is not whole and well: a drill breaks one thing, never a second."""
    if sight.not_green:
        raise RefusedError(
            f"a drill begins on a green cluster only: {sight.not_green}",
            where=sight.live.module,
            hint=f"{proposed('kbz', 'health', sight.live.module)}; nothing was broken",
        )
