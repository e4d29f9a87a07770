"""Applies a plan in a safe order: stage by stage, each chosen from the live state, guarded and gated.

No stage is planned ahead: after each one the hosts are read again and the module says what comes next.
So a run that was cut off at any point goes on by itself, and nothing is decided on an old reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from keybuzz.engine import events
from keybuzz.engine.adopt.ahead import require_ahead
from keybuzz.engine.adopt.credentials import require_same
from keybuzz.engine.adopt.ground import require_own_ground
from keybuzz.engine.change import proof
from keybuzz.engine.change.ends import ended_by
from keybuzz.engine.change.guard import QuorumError
from keybuzz.engine.change.steps import StepResult
from keybuzz.engine.change.taker import Taker
from keybuzz.engine.fronts import take_back_first, take_back_last
from keybuzz.engine.joined import goes_on, still_waiting, taken_by, without
from keybuzz.engine.look.observe import Snapshot, View, observe
from keybuzz.engine.look.scope import concerned
from keybuzz.engine.pace import canary
from keybuzz.engine.pace.waves import Trouble, Worse, pending, silent, trouble, worse
from keybuzz.model.core.errors import KbzError, StepError, sentence_of
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.proposed import proposed
from keybuzz.site.module import Module

Route = Callable[["Conductor", tuple[Module, ...], Snapshot], tuple[Snapshot, list[Module]]]
"""Brings a chain of modules to its description, from a reading; returns the newest one, and what was put off."""


def one_after_other(
    conductor: Conductor, chain: tuple[Module, ...], snapshot: Snapshot
) -> tuple[Snapshot, list[Module]]:
    """Bring the modules of a chain to their description in their order; return those that are put off too."""
    postponed: list[Module] = []
    for place, module in enumerate(chain):
        snapshot, put_off = conductor.bring(module, snapshot, chain[place + 1 :])
        postponed += [module] * put_off
    return snapshot, postponed


@dataclass
class Conductor(Taker):
    """One run over a chain of modules."""

    route: Route = one_after_other
    """How it goes over its chain."""

    def run(self, snapshot: Snapshot) -> Snapshot:
        """Bring every module of the chain to its description; return the last snapshot.

        Modules without a selected host are passed over: their clusters were not asked, and are not changed.

        A restart that a quorum forbids now waits until the later modules of the chain have brought
        their members back: base cannot restart Docker while the member that a cluster misses is down.
        """
        chain, view = concerned(self.modules, self.site, self.selected), self.view(snapshot)
        canary.require_heard(self.pace.canary, snapshot.unreachable)
        require_ahead(self.nornir, self.site, chain, lambda module: view.live(module, self.site))
        for module in chain:
            canary.require_serving(self.pace.canary, module, view.live(module, self.site))
        snapshot, postponed = self.route(self, chain, self.taken_back(snapshot))
        self.waiting.clear()
        for module in postponed:
            snapshot = self._converge(module, snapshot)
        self._require_all()
        return snapshot

    def bring(
        self, module: Module, snapshot: Snapshot, later: tuple[Module, ...]
    ) -> tuple[Snapshot, bool]:
        """Bring one module of a chain to its description; return the newest reading, and whether a part is put off.

        `later` are those that come after it. The last one waits for no other, so that nothing of it is put off.
        """
        try:
            snapshot = self._converge(module, snapshot, later)
        except QuorumError as forbidden:
            if not later:
                raise
            self.listen(events.Postponed(module.name, forbidden.what))
            put_off = True
            snapshot = self.last or snapshot
        else:
            put_off = bool(self._put_off(module))
        if later:
            live = self.view(snapshot).live(module, self.site)
            proof.require_healthy(module, self._in_it(live))
        return snapshot, put_off

    def _require_all(self) -> None:
        """Raise StepError when hosts were left out: the run has gone on without them, and is not done."""
        if failed := self.waves.failed:
            names = ", ".join(sorted(failed))
            raise StepError(
                f"{len(failed)} of {len(self.selected)} hosts failed and were left out: {names}",
                hint=f"{proposed('kbz', 'run', self.modules[-1].name, '--limit', '@failed')} tries them again",
            )

    def again(self) -> Snapshot:
        """Look at the hosts again, as after a question that may have waited for long."""
        self.last = observe(self.nornir, self.descriptions)
        return self.last

    def taken_back(self, snapshot: Snapshot) -> Snapshot:
        """Take back what a killed run has left led elsewhere; return the last snapshot."""
        return self.read() if take_back_first(self, snapshot) else snapshot

    def ending(self, act: Callable[[], object]) -> KbzError | None:
        """Do a part of this run and return what ended it, if anything did.

        Whatever that is, a report comes first: what was changed must be told, and remembered. What is still led
        elsewhere is taken back before.
        """
        error = ended_by(self.site, self.cuts, act, "kbz resume")
        if error is not None:
            self._cut_off()
            if self.waiting:
                error.hint = "; ".join(filter(None, (error.hint, still_waiting(self.waiting))))
        return take_back_last(self, error)

    def _in_it(self, live: Live) -> Live:
        """Return a module's hosts with those selected that this run has not left out."""
        return replace(live, selected=live.selected - self.waves.failed.keys())

    def _cut_off(self) -> None:
        """Note that the first change of each host at work may or may not have been made."""
        for changes in self.at_work.values():
            what = "it was cut off, and may have taken effect"
            self.results.append(StepResult(changes[0], Outcome.UNKNOWN, what))

    def _next_stage(self, module: Module, live: Live) -> Stage | None:
        """Return the module's next stage; StepError when it cannot judge what the hosts say."""
        try:
            return module.next_stage(live)
        except KbzError:
            raise
        except Exception as error:
            raise StepError(
                f"the state of its hosts cannot be judged: {sentence_of(error)}",
                where=module.name,
                hint=proposed("kbz", "health", module.name),
            ) from error

    def _put_off(self, module: Module) -> frozenset[str]:
        """Return the hosts on which a stage of the module waits for a later module's step."""
        return frozenset(host for host, (one, _) in self.waiting.items() if one.name == module.name)

    def _converge(
        self, module: Module, snapshot: Snapshot, later: tuple[Module, ...] = ()
    ) -> Snapshot:
        done: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
        opened = frozenset[str]()
        before = trouble(module, self.view(snapshot).live(module, self.site))
        while True:
            view, put_off = self.view(snapshot), self._put_off(module)
            every = without(view.live(module, self.site), put_off | self.waves.failed.keys())
            opened = opened or self._opened(module, every)
            live = without(every, every.hosts.keys() - opened)
            closed = tuple(host for host in pending(every) if host not in opened)
            stage = self._next_stage(module, live)
            if stage is None:
                proof.require_done(module, live)
                if closed:
                    snapshot = self._between(module, before, opened, closed, snapshot)
                    opened |= self.waves.after(opened, module, every)
                    continue
                if self.pace.parts:
                    self._count(silent(snapshot.unreachable, self._touched))
                if not put_off and not self.waves.failed.keys() & live.hosts.keys():
                    self.freeze.converged(module)
                return snapshot
            if with_it := taken_by(stage, self._to_come(view, later)):
                self.waiting |= dict.fromkeys(stage.hosts, (module, stage))
                what = f"{stage.name} comes with the step of {with_it} there"
                self.listen(events.Postponed(module.name, what))
                continue
            # A stage that only waits changes nothing, and frees nothing either.
            if stage.changes and not any(changes for _, changes in done):
                # First: a refused installation has not begun, and leaves no mark that lifts a freeze.
                require_own_ground(self.nornir, module, every)
                self.freeze.require_free(module, every)
            if stage.changes:
                require_same(module, live, self.site)
                canary.require_open(module, stage, opened, closed)
            mark = (stage.name, tuple((change.host, change.identity) for change in stage.changes))
            if stage.changes and mark in done:
                raise proof.changed_back(module, stage)
            done.add(mark)
            snapshot = self.stage(module, stage, snapshot)

    def _opened(self, module: Module, every: Live) -> frozenset[str]:
        """Return the hosts that a module begins with; what it refuses on any host, it refuses before that."""
        canary.require_serving(self.pace.canary, module, every)
        opened = self.waves.after(frozenset(), module, every)
        if not opened.issuperset(pending(every)):
            self._next_stage(module, every)
        return opened

    def _between(
        self,
        module: Module,
        before: Trouble,
        opened: frozenset[str],
        closed: tuple[str, ...],
        snapshot: Snapshot,
    ) -> Snapshot:
        """Look at a batch again before the next one; return the newest reading.

        A host that has become silent or critical since it was changed counts as failed.
        """
        snapshot = self.rested(module.name, opened, closed, snapshot)
        self._count(silent(snapshot.unreachable, self._touched))
        live = self.view(snapshot).live(module, self.site)
        self._count(worse(module, before, live, self._touched & opened))
        return snapshot

    @property
    def _touched(self) -> frozenset[str]:
        """The hosts that this run has changed and has not left out."""
        return frozenset(result.change.host for result in self.results) - self.waves.failed.keys()

    def _count(self, found: Mapping[str, Worse]) -> None:
        """Leave out the hosts that have failed; StepError when more have than may, or the canary has."""
        for host, why in found.items():
            self.waves.failed[host] = why.what
            self.listen(events.LeftOut(host, why.what))
        if found and (self.waves.exhausted or self.pace.canary in found):
            host, why = next(iter(found.items()))
            raise StepError(why.what, where=host, hint=why.hint)

    def rested(
        self, name: str, done: frozenset[str], closed: tuple[str, ...], snapshot: Snapshot
    ) -> Snapshot:
        """Pause between two batches of hosts, and ask; return the newest reading."""
        self.check_stop()
        if not self.pace.halts:
            return snapshot
        self.listen(events.BatchEnded(name, len(done), len(closed), self.pace.pause))
        self.stop.wait(self.pace.pause)
        self.check_stop()
        self.pace.agree(f"{name}: {len(done)} hosts are done, {len(closed)} left, next {closed[0]}")
        return self.read()

    def _to_come(self, view: View, later: tuple[Module, ...]) -> Iterator[Live]:
        """Yield the later modules whose changes this run will make, as they are now."""
        for other in later:
            if goes_on(other, live := view.live(other, self.site), self.freeze):
                yield live
