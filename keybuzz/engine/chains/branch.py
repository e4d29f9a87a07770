"""One module of a run that goes side by side: a conductor of its own, over the hosts that the module can touch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from keybuzz.engine import events
from keybuzz.engine.chains.order import Place
from keybuzz.engine.change.conduct import Conductor
from keybuzz.engine.change.ends import ended_by
from keybuzz.engine.cuts import Cuts
from keybuzz.engine.look.observe import Snapshot
from keybuzz.model.core.errors import KbzError
from keybuzz.site.module import Module


@dataclass
class Branch:
    """A module at work in a thread of its own. What it found and did is merged when it has ended."""

    place: Place
    conductor: Conductor
    put_off: bool = False
    """A part of it is put off until the others have ended."""
    error: KbzError | None = None
    """What ended it."""

    def run(self, snapshot: Snapshot, later: tuple[Module, ...], *, fresh: bool) -> None:
        """Bring the module to its description. A reading that is not fresh is made again. Never raises."""
        conductor, name = self.conductor, self.place.name
        started = time.monotonic()
        conductor.listen(events.ModuleBegun(name))

        def bring() -> None:
            seen = snapshot if fresh else conductor.read()
            _, self.put_off = conductor.bring(self.place.module, seen, later)

        # Signals are for the main thread, which cuts off this one's connections.
        self.error = ended_by(conductor.site, Cuts(), bring, "kbz resume")
        said = self.error.sentence if self.error is not None else ""
        conductor.listen(events.ModuleEnded(name, time.monotonic() - started, said))


def branch_of(whole: Conductor, place: Place) -> Branch:
    """Return the part of a run that one module is: it shares the guard, the count of failures and the stop with all."""
    hosts = place.hosts
    own = replace(
        whole,
        nornir=whole.nornir.filter(filter_func=lambda host: host.name in hosts),
        modules=(place.module,),
        descriptions={h: found for h, found in whole.descriptions.items() if h in hosts},
        listen=_beside(place.name, whole.listen),
        results=[],
        at_work={},
        last=None,
        waiting={host: put_off for host, put_off in whole.waiting.items() if host in hosts},
        led={},
        owner=place.name,
    )
    own.waves = whole.waves
    return Branch(place, own)


def merge(whole: Conductor, branch: Branch, snapshot: Snapshot) -> Snapshot:
    """Take over what a branch did; return the reading of all hosts with what it has read last.

    A branch that was cut off has changes at work, which the run tells of.
    """
    own = branch.conductor
    whole.results += own.results
    whole.at_work = {**whole.at_work, **own.at_work}
    whole.led |= own.led
    whole.waiting = {
        host: put_off for host, put_off in whole.waiting.items() if host not in branch.place.hosts
    } | own.waiting
    descriptions = dict(whole.descriptions)
    for host, found in own.descriptions.items():
        known = descriptions.get(host, found)
        descriptions[host] = replace(known, modules={**known.modules, **found.modules})
    whole.descriptions = descriptions
    newest = snapshot if own.last is None else snapshot.with_newer(own.last)
    whole.last = newest if own.last is not None else whole.last
    return newest


def part_of(snapshot: Snapshot, hosts: frozenset[str]) -> Snapshot:
    """Return what a reading says of these hosts."""
    return Snapshot(
        {host: seen for host, seen in snapshot.observations.items() if host in hosts},
        {host: why for host, why in snapshot.unreachable.items() if host in hosts},
    )


def _beside(module: str, listen: events.Listener) -> Callable[[events.Event], None]:
    return lambda event: listen(events.Beside(module, event))
