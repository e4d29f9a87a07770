"""Takes one stage: guard, gate, hand-overs, changes, gate, and the clusters of its hosts as before.

Nothing is decided on an old reading: the hosts are read again after each stage, and while a gate waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from keybuzz.engine import events
from keybuzz.engine.chains.guard import Guard
from keybuzz.engine.change import proof
from keybuzz.engine.change.freeze import Freeze
from keybuzz.engine.change.guard import (
    Cluster,
    back_again,
    carried_by,
    cluster_of,
    disrupted,
    fronts_of,
)
from keybuzz.engine.change.steps import STEP_TIMEOUT, StepResult, apply, results_of
from keybuzz.engine.cuts import Cuts
from keybuzz.engine.fronts import about, lead
from keybuzz.engine.images.images import archives_for
from keybuzz.engine.images.members import hand_over
from keybuzz.engine.joined import is_joined, joined, still
from keybuzz.engine.look.describe import HostDescription, describe_more
from keybuzz.engine.look.observe import Snapshot, View, observe, only
from keybuzz.engine.look.resting import in_maintenance_now
from keybuzz.engine.pace.pace import Pace
from keybuzz.engine.pace.waves import Waves, dangerous
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import StepError, StoppedError
from keybuzz.model.core.live import Gate, Stage
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
class Taker:
    """What a run has in hand. `results` grows, and `descriptions` by clusters that a stage touches."""

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
    pace: Pace = field(default_factory=Pace)
    """How carefully it goes over its hosts."""
    cut_off: threading.Event = field(default_factory=threading.Event)
    """Set with `stop` where a second signal cuts off what is at work: nothing more may begin."""
    guard: Guard = field(default_factory=Guard)
    """Counts the quorum, over all that is at work at the same time."""
    owner: str = ""
    """By whom the guard knows it, where several are at work."""
    waves: Waves = field(init=False)
    """How far it has got over them."""

    def __post_init__(self) -> None:
        self.waves = Waves(self.pace, self.selected)

    def view(self, snapshot: Snapshot) -> View:
        """Return a snapshot seen through this run's descriptions and selection."""
        return View(self.descriptions, snapshot, self.selected, self.site.digest_key)

    def stage(self, module: Module, stage: Stage, snapshot: Snapshot) -> Snapshot:
        """Take one stage: guard, gate, hand-overs, changes, gate, and the other clusters as before."""
        self.check_stop()
        stage = self._joined(stage, snapshot)
        snapshot = self._with_carried(stage, snapshot)
        carried = self.clusters(stage, snapshot)
        self.guard.require(self.owner, stage, carried)
        if stage.before is not None:
            snapshot = self._wait(module, stage.before, snapshot)
            # Who is up may have changed while it waited.
            carried = self.clusters(stage, snapshot)
        with self.guard.holding(self.owner, stage, carried):
            return self._taken(module, stage, carried, snapshot)

    def _taken(
        self, module: Module, stage: Stage, carried: list[Cluster], snapshot: Snapshot
    ) -> Snapshot:
        """Hand over, change, and wait until the stage's own gate holds and the other clusters are as before."""
        snapshot = self._release(module, stage, snapshot)
        self._lead_away(stage)
        if stage.changes:
            self.listen(
                events.StageStarted(module.name, stage.name, stage.hosts, len(stage.changes))
            )
            self._apply(module, stage, snapshot)
            snapshot = self.read()
        if stage.after is not None and not self._all_failed(stage):
            snapshot = self._wait(module, stage.after, snapshot)
        snapshot = self._await_carried(module, carried, snapshot)
        snapshot = self._regain(module, stage, snapshot)
        self._lead_back(stage)
        return snapshot

    def cleared(self, module: Module, stage: Stage, snapshot: Snapshot) -> Snapshot:
        """Guard a stage and make its hand-overs, without its changes: its hosts may be interrupted then."""
        snapshot = self._with_carried(stage, snapshot)
        with self.guard.holding(self.owner, stage, self.clusters(stage, snapshot)):
            snapshot = self._release(module, stage, snapshot)
            self._lead_away(stage)
        return snapshot

    def given_back(self, module: Module, stage: Stage, snapshot: Snapshot) -> Snapshot:
        """Undo `cleared` for hosts that serve again: they take work, and sessions are led as before."""
        snapshot = self._regain(module, stage, self._with_carried(stage, snapshot))
        self._lead_back(stage)
        return snapshot

    def _all_failed(self, stage: Stage) -> bool:
        """Return whether every host of a stage was left out: nothing is there to wait for."""
        return bool(stage.hosts) and self.waves.failed.keys() >= set(stage.hosts)

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
        """Make the changes of a stage on as many hosts at once as the pace allows."""
        folder = self.site.settings.state / "images"
        self.results.extend(hand_over(stage, snapshot, self.nornir, folder, self.listen))
        archives = archives_for(stage, self.modules, self.site, self.listen)
        left = stage.hosts
        while left:
            # A stop lets this stage end. A cut does not, and may find no connection yet: images are brought first.
            if left != stage.hosts or self.cut_off.is_set():
                self.check_stop()
            hosts = self.waves.part(stage, left)
            left = tuple(host for host in left if host not in hosts)
            trial = self.waves.trial(stage, hosts)
            results = self._change(stage, hosts, archives)
            self.results.extend(results)
            failed = [result for result in results if result.outcome not in _GOOD]
            made = len(results) - len(failed)
            self.listen(events.StageEnded(module.name, stage.name, hosts, made, len(results)))
            if failed:
                self._left_out(module, stage, failed, trial=trial)
            self.waves.tried |= dangerous(stage)

    def _change(
        self, stage: Stage, hosts: tuple[str, ...], archives: Mapping[str, Path]
    ) -> list[StepResult]:
        changes = {host: stage.of(host) for host in hosts}
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
        return [r for host in hosts for r in results_of(done[host][0], changes[host])]

    def _left_out(
        self, module: Module, stage: Stage, failed: list[StepResult], *, trial: bool
    ) -> None:
        """Leave out the hosts of these changes; StepError when more have failed than may.

        No share of failures is allowed where others depend on the host: the first member that fails ends the roll. Nor
        for what is tried on one host before it goes to the others.
        """
        first = failed[0]
        for result in failed:
            self.waves.failed.setdefault(result.change.host, result.what)
        alone = module.members_up is None and not carried_by(stage, self.every_module, self.site)
        if trial or not alone or self.waves.exhausted:
            self.read()
            raise StepError(
                f"{first.change.identity}: {first.what}", where=first.change.host, hint=first.hint
            )
        for host in dict.fromkeys(result.change.host for result in failed):
            self.listen(events.LeftOut(host, self.waves.failed[host]))

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
                snapshot, whole = self.read(), True
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
            self.check_stop()
            snapshot, whole = self._glance(module, snapshot), False

    def _glance(self, module: Module, before: Snapshot) -> Snapshot:
        """Read one module again, and keep the rest: a gate asks often, and asks for nothing else."""
        asked = only(self.descriptions, module.name)
        self.last = before.with_newer(observe(self.nornir, asked, Access.CHANGE))
        return self.last

    def read(self) -> Snapshot:
        """Read everything that this run has in sight; return the newest reading."""
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
        return self.read()

    def clusters(self, stage: Stage, snapshot: Snapshot) -> list[Cluster]:
        """Return every quorum cluster that a disrupted host of the stage carries, as it is now.

        Another host that is in maintenance counts as stopped: it may be, at any moment.
        """
        view = self.view(snapshot)
        resting = in_maintenance_now(self.site).keys() - disrupted(stage)
        return [
            replace(cluster_of(module, view.live(module, self.site)), resting=frozenset(resting))
            for module in carried_by(stage, self.every_module, self.site)
        ]

    @property
    def stopped(self) -> StoppedError | None:
        """Why no further stage may begin; None while one may."""
        if self.stop.is_set():
            hint = "kbz resume goes on from what is there now"
            return StoppedError("stopped on request", hint=hint)
        if time.monotonic() > self.deadline:
            hint = "kbz resume, or --timeout SECONDS"
            return StoppedError("the time of this run is over", hint=hint)
        return None

    def check_stop(self) -> None:
        """Raise StoppedError when no further stage may begin."""
        if (why := self.stopped) is not None:
            raise why


def _red(module: Module, what: str) -> StepError:
    hint = f"the roll has stopped here; look at {proposed('kbz', 'health', module.name)}"
    return StepError(what, where=module.name, hint=hint)
