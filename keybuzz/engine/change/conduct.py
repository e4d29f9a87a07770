"""Applies a plan in a safe order: stage by stage, each chosen from the live state, guarded and gated.

No stage is planned ahead: after each one the hosts are read again and the module says what comes next.
So a run that was cut off at any point goes on by itself, and nothing is decided on an old reading.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from keybuzz.engine import events
from keybuzz.engine.adopt.ahead import require_ahead
from keybuzz.engine.adopt.credentials import require_same
from keybuzz.engine.adopt.ground import require_own_ground
from keybuzz.engine.change import proof
from keybuzz.engine.change.ends import ended_by
from keybuzz.engine.change.freeze import Freeze
from keybuzz.engine.change.guard import (
    Cluster,
    QuorumError,
    back_again,
    carried_by,
    cluster_of,
    disrupted,
    fronts_of,
    guard_quorum,
)
from keybuzz.engine.change.steps import STEP_TIMEOUT, StepResult, apply, results_of
from keybuzz.engine.cuts import Cuts
from keybuzz.engine.fronts import about, lead, take_back_first, take_back_last
from keybuzz.engine.images.images import archives_for
from keybuzz.engine.images.members import hand_over
from keybuzz.engine.joined import (
    goes_on,
    is_joined,
    joined,
    still,
    still_waiting,
    taken_by,
    without,
)
from keybuzz.engine.look.describe import HostDescription, describe_more
from keybuzz.engine.look.observe import Snapshot, View, observe, only
from keybuzz.engine.look.scope import concerned
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import KbzError, StepError, StoppedError, sentence_of
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Change
from keybuzz.model.core.proposed import proposed
from keybuzz.site.module import Module
from keybuzz.site.site import Site

if TYPE_CHECKING:
    from nornir.core import Nornir

_GOOD = (Outcome.OK, Outcome.CHANGED)
_POLL = (0.5, 2.0)
"""Seconds between two readings of a gate: at first, and at most, after it has waited for long."""


_CERTAIN = 10.0
"""Seconds that what waiting does not change must be seen before a gate fails by it: members tell it at other times."""


@dataclass
class Conductor:
    """One run over a chain of modules. `results` grows, and `descriptions` by clusters that a stage touches."""

    nornir: Nornir
    site: Site
    modules: tuple[Module, ...]
    every_module: tuple[Module, ...]
    descriptions: Mapping[str, HostDescription]
    selected: frozenset[str]
    listen: events.Listener
    deadline: float
    """Monotonic time after which no further stage begins."""
    stop: threading.Event
    freeze: Freeze
    results: list[StepResult] = field(default_factory=list)
    at_work: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)
    """Changes by host that were handed out and have not come back."""
    last: Snapshot | None = None
    """The newest reading of the hosts."""
    cuts: Cuts = field(default_factory=Cuts)
    """Whether a signal may cut off what is at work."""
    waiting: dict[str, tuple[Module, Stage]] = field(default_factory=dict)
    """By host: a stage that was put off until a later module interrupts the host too."""
    led: dict[str, Module] = field(default_factory=dict)
    """By name: the entries that may lead elsewhere because of this run."""

    def view(self, snapshot: Snapshot) -> View:
        """Return a snapshot seen through this run's descriptions and selection."""
        return View(self.descriptions, snapshot, self.selected, self.site.digest_key)

    def run(self, snapshot: Snapshot) -> Snapshot:
        """Bring every module of the chain to its description; return the last snapshot.

        Modules without a selected host are passed over: their clusters were not asked, and are not changed.

        A restart that a quorum forbids now waits until the later modules of the chain have brought
        their members back: base cannot restart Docker while the member that Patroni misses is down.
        """
        postponed: list[Module] = []
        chain, view = concerned(self.modules, self.site, self.selected), self.view(snapshot)
        require_ahead(self.nornir, self.site, chain, lambda module: view.live(module, self.site))
        snapshot = self.taken_back(snapshot)
        for place, module in enumerate(chain):
            try:
                snapshot = self._converge(module, snapshot, chain[place + 1 :])
            except QuorumError as forbidden:
                if module is chain[-1]:
                    raise
                self.listen(events.Postponed(module.name, forbidden.what))
                postponed.append(module)
                snapshot = self.last or snapshot
            else:
                postponed += [module] if self._put_off(module) else []
            if module is not chain[-1]:
                proof.require_healthy(module, self.view(snapshot).live(module, self.site))
        self.waiting.clear()
        for module in postponed:
            snapshot = self._converge(module, snapshot)
        return snapshot

    def taken_back(self, snapshot: Snapshot) -> Snapshot:
        """Take back what a killed run has left led elsewhere; return the last snapshot."""
        return self._read() if take_back_first(self, snapshot) else snapshot

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
        while True:
            view, put_off = self.view(snapshot), self._put_off(module)
            live = without(view.live(module, self.site), put_off)
            stage = self._next_stage(module, live)
            if stage is None:
                proof.require_done(module, live)
                if not put_off:
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
                require_own_ground(self.nornir, module, live)
                self.freeze.require_free(module, live)
            if stage.changes:
                require_same(module, live, self.site)
            mark = (stage.name, tuple((change.host, change.identity) for change in stage.changes))
            if stage.changes and mark in done:
                raise proof.changed_back(module, stage)
            done.add(mark)
            snapshot = self.stage(module, stage, snapshot)

    def _to_come(self, view: View, later: tuple[Module, ...]) -> Iterator[Live]:
        """Yield the later modules whose changes this run will make, as they are now."""
        for other in later:
            if goes_on(other, live := view.live(other, self.site), self.freeze):
                yield live

    def stage(self, module: Module, stage: Stage, snapshot: Snapshot) -> Snapshot:
        """Take one stage: guard, gate, hand-overs, changes, gate, and the other clusters as before."""
        self._check_stop()
        stage = self._joined(stage, snapshot)
        snapshot = self._with_carried(stage, snapshot)
        carried = self._clusters(stage, snapshot)
        guard_quorum(stage, carried)
        if stage.before is not None:
            snapshot = self._wait(module, stage.before, snapshot)
            # Who is up may have changed while it waited.
            carried = self._clusters(stage, snapshot)
            guard_quorum(stage, carried)
        snapshot = self._release(module, stage, snapshot)
        self._lead_away(stage)
        if stage.changes:
            self.listen(
                events.StageStarted(module.name, stage.name, stage.hosts, len(stage.changes))
            )
            self._apply(module, stage, snapshot)
            snapshot = self._read()
        if stage.after is not None:
            snapshot = self._wait(module, stage.after, snapshot)
        snapshot = self._await_carried(module, carried, snapshot)
        snapshot = self._regain(module, stage, snapshot)
        self._lead_back(stage)
        return snapshot

    def _joined(self, stage: Stage, snapshot: Snapshot) -> Stage:
        """Return a stage with what waits for it, as that is now; it waits no more."""
        view = self.view(snapshot)
        taken = {
            host: still(put_off, view.live(module, self.site).changes())
            for host, (module, put_off) in self.waiting.items()
            if host in disrupted(stage)
        }
        for host in taken:
            del self.waiting[host]
        return joined(stage, taken)

    def _release(self, module: Module, stage: Stage, snapshot: Snapshot) -> Snapshot:
        """Let other modules hand over what the hosts of a stage lead, before it interrupts them."""
        for other in carried_by(stage, self.every_module, self.site):
            for host in sorted(disrupted(stage)):
                live = self.view(snapshot).live(other, self.site)
                if self._its_own(other, module, stage) or host not in live.hosts:
                    continue
                if (handing := other.release(live, host)) is not None:
                    snapshot = self.stage(other, handing, snapshot)
        return snapshot

    def _regain(self, module: Module, stage: Stage, snapshot: Snapshot) -> Snapshot:
        """Let other modules take back what they released for this stage: a node takes pods again."""
        for other in carried_by(stage, self.every_module, self.site):
            for host in sorted(disrupted(stage)):
                live = self.view(snapshot).live(other, self.site)
                if self._its_own(other, module, stage) or host not in live.hosts:
                    continue
                if (taking := other.regain(live, host)) is not None:
                    snapshot = self.stage(other, taking, snapshot)
        return snapshot

    def _its_own(self, other: Module, module: Module, stage: Stage) -> bool:
        """Return whether the rollout of the stage itself hands over: of what waited for its stage it knows nothing."""
        return other.name == module.name and not is_joined(module.name, stage)

    def _lead_away(self, stage: Stage) -> None:
        """Let the entries before the hosts of a stage lead sessions elsewhere, whatever this run is about."""
        for front, server in fronts_of(stage, self.every_module, self.site):
            self.led[front.name] = front
            lead(self, front, about(front.lead_away, server))

    def _lead_back(self, stage: Stage) -> None:
        """Let them lead sessions as before; `ending` does it where this is not reached."""
        for front, server in fronts_of(stage, self.every_module, self.site):
            lead(self, front, about(front.lead_back, server))
            self.led.pop(front.name, None)

    def _await_carried(
        self, module: Module, carried: list[Cluster], snapshot: Snapshot
    ) -> Snapshot:
        """Go on when the clusters of other modules are as before: this module's gates know nothing of them."""
        others = {other.name: other for other in self.every_module if other.name != module.name}
        for cluster in carried:
            if cluster.name in others:
                other = others[cluster.name]
                snapshot = self._wait(other, back_again(other, cluster), snapshot)
        return snapshot

    def _apply(self, module: Module, stage: Stage, snapshot: Snapshot) -> None:
        folder = self.site.settings.state / "images"
        self.results.extend(hand_over(stage, snapshot, self.nornir, folder, self.listen))
        archives = archives_for(stage, self.modules, self.site, self.listen)
        changes = {host: stage.of(host) for host in stage.hosts}
        chosen = self.nornir.filter(filter_func=lambda host: host.name in changes)
        self.at_work = changes
        done = chosen.run(
            task=apply,
            changes=changes,
            archives=archives,
            listen=self.listen,
            timeout=max(1.0, min(STEP_TIMEOUT, self.deadline - time.monotonic())),
        )
        self.at_work = {}
        chosen.data.reset_failed_hosts()
        results = [r for host in stage.hosts for r in results_of(done[host][0], changes[host])]
        self.results.extend(results)
        failed = [result for result in results if result.outcome not in _GOOD]
        made = len(results) - len(failed)
        self.listen(events.StageEnded(module.name, stage.name, stage.hosts, made, len(results)))
        if failed:
            self._read()
            first = failed[0]
            raise StepError(
                f"{first.change.identity}: {first.what}", where=first.change.host, hint=first.hint
            )

    def _wait(self, module: Module, gate: Gate, snapshot: Snapshot) -> Snapshot:
        """Poll until the gate holds; StepError with its last reason when it does not in time."""
        started = time.monotonic()
        told = ""
        whole = True
        since: float | None = None
        while True:
            live = self.view(snapshot).live(module, self.site)
            reason = proof.why_not(gate, live)
            elapsed = time.monotonic() - started
            if reason is None and whole:
                self.listen(events.GateHeld(gate.name, elapsed))
                return snapshot
            if reason is None:
                # What comes next is chosen from all modules, not only from the one that the gate asks.
                snapshot, whole = self._read(), True
                continue
            lasting = proof.lasting(module, live)
            since = (since or time.monotonic()) if lasting else None
            certain = since is not None and time.monotonic() - since >= _CERTAIN
            if (why := proof.hopeless(gate, live) or (lasting if certain else None)) is not None:
                raise _red(module, f"gate “{gate.name}” can hold no more: {why}")
            if elapsed > gate.timeout:
                what = f"gate “{gate.name}” did not hold within {gate.timeout:g} s: {reason}"
                raise _red(module, what)
            if reason != told:
                self.listen(events.GateWaiting(gate.name, reason))
                told = reason
            self.stop.wait(min(max(_POLL[0], elapsed / 20), _POLL[1]))
            self._check_stop()
            snapshot, whole = self._glance(module, snapshot), False

    def _glance(self, module: Module, before: Snapshot) -> Snapshot:
        """Read one module again, and keep the rest: a gate asks often, and asks for nothing else."""
        asked = only(self.descriptions, module.name)
        self.last = before.with_newer(observe(self.nornir, asked, Access.CHANGE))
        return self.last

    def _read(self) -> Snapshot:
        self.last = observe(self.nornir, self.descriptions, Access.CHANGE)
        return self.last

    def _with_carried(self, stage: Stage, snapshot: Snapshot) -> Snapshot:
        """Read the clusters of the hosts that a stage disrupts, also those whose module is not in this run."""
        known = {name for found in self.descriptions.values() for name in found.modules}
        carried = carried_by(stage, self.every_module, self.site)
        missing = tuple(module for module in carried if module.name not in known)
        if not missing:
            return snapshot
        self.descriptions = describe_more(self.nornir, self.site, self.descriptions, missing)
        return self._read()

    def _clusters(self, stage: Stage, snapshot: Snapshot) -> list[Cluster]:
        """Return every quorum cluster that a disrupted host of the stage carries, as it is now."""
        view = self.view(snapshot)
        return [
            cluster_of(module, view.live(module, self.site))
            for module in carried_by(stage, self.every_module, self.site)
        ]

    def _check_stop(self) -> None:
        if self.stop.is_set():
            raise StoppedError(
                "stopped on request", hint="kbz resume goes on from what is there now"
            )
        if time.monotonic() > self.deadline:
            raise StoppedError(
                "the time of this run is over", hint="kbz resume, or --timeout SECONDS"
            )


def _red(module: Module, what: str) -> StepError:
    hint = f"the roll has stopped here; look at {proposed('kbz', 'health', module.name)}"
    return StepError(what, where=module.name, hint=hint)
