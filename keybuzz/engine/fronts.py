"""Entries before a cluster: they lead sessions away from a member that is interrupted, and back however that ends.

What leads elsewhere is in the memory of the entries only. One of them that restarts would lead to another member than
the rest, so that no run leaves it: not at a signal, not at a red gate, and what a killed one left the next takes back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keybuzz.engine import events
from keybuzz.engine.catalogue import entries_before
from keybuzz.engine.look.describe import describe_more
from keybuzz.engine.look.observe import Snapshot, observe
from keybuzz.engine.pace.pace import Pace
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import KbzError, RefusedError, StepError, StoppedError, sentence_of
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.proposed import proposed
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Module

if TYPE_CHECKING:
    from keybuzz.engine.change.taker import Taker

Wish = Callable[[Live], Stage | None]
"""What an entry would do now; None for nothing."""
_PATIENCE = 180.0
"""Seconds for taking back at the end of a run, whose own time may be over."""


@dataclass(frozen=True, slots=True)
class Led:
    """What came of asking an entry."""

    found: bool
    """False when it had nothing to do."""
    unread: frozenset[str]
    """Its hosts that did not answer."""


def about(asks: Callable[[Live, Server], Stage | None], server: Server) -> Wish:
    """Return what an entry wishes for about one member of the cluster behind it."""
    return lambda live: asks(live, server)


def lead(conductor: Taker, front: Module, wish: Wish) -> Led:
    """Take the stage that an entry wishes for, whatever this run is about.

    Its hosts are looked at for this alone: one that does not answer is told of, and holds up nothing.
    """
    described = describe_more(conductor.nornir, conductor.site, {}, (front,))
    snapshot = observe(conductor.nornir, described, Access.CHANGE)
    for host, reason in sorted(snapshot.unreachable.items()):
        conductor.listen(events.HostsLost((host,), reason))
    whole = Pace()  # what leads elsewhere does so on every entry at once
    beside = replace(conductor, modules=(front,), descriptions=described, last=None, pace=whole)
    try:
        stage = wish(beside.view(snapshot).live(front, conductor.site))
    except RefusedError as error:
        where = f"{error.where}: " if error.where else ""
        conductor.listen(events.NotLed(front.name, f"{where}{error.sentence}"))
        stage = None
    try:
        if stage is not None:
            beside.stage(front, stage, snapshot)
    finally:
        conductor.at_work = beside.at_work
    return Led(stage is not None, frozenset(snapshot.unreachable))


def take_back_first(conductor: Taker, snapshot: Snapshot) -> bool:
    """Take back what a killed run has left before the clusters of this one; return whether anything was.

    The leases of those clusters are held, so that no other run leads elsewhere now. A cluster that cannot be led to is
    repaired first: what fails is told, and tried again at the end.
    """
    found = False
    for front in entries_before(conductor.every_module, conductor.site, conductor.selected):
        if _at_rest(conductor, front, snapshot):
            continue
        try:
            found = lead(conductor, front, front.lead_as_described).found or found
        except StoppedError:
            raise
        except KbzError as error:
            conductor.led[front.name] = front
            conductor.listen(events.NotLed(front.name, error.sentence))
    return found


def take_back_last(conductor: Taker, error: KbzError | None) -> KbzError | None:
    """Take back what this run still leads elsewhere; return what ended the run, or that something could not be.

    Neither a stop nor the end of the run's time holds it up.
    """
    patient = replace(conductor, stop=threading.Event(), deadline=time.monotonic() + _PATIENCE)
    for front in tuple(conductor.led.values()):
        try:
            led = lead(patient, front, front.lead_as_described)
        except Exception as fault:
            error = _still_led(front, sentence_of(fault), error)
            continue
        if unread := led.unread & _changed(conductor, front):
            error = _still_led(front, f"{', '.join(sorted(unread))} does not answer", error)
        else:
            del conductor.led[front.name]
    return error


def _at_rest(conductor: Taker, front: Module, snapshot: Snapshot) -> bool:
    """Return whether this run has read every host of an entry, which leads as described: it is not asked again."""
    if front.name not in {module.name for module in conductor.modules}:
        return False
    live = conductor.view(snapshot).live(front, conductor.site)
    if not {server.name for server in conductor.site.members(front.group)} <= live.hosts.keys():
        return False
    try:
        return front.lead_as_described(live) is None
    except RefusedError:
        return False  # it is told when it is asked


def _changed(conductor: Taker, front: Module) -> frozenset[str]:
    """Return the hosts of an entry that this run has changed."""
    return frozenset(r.change.host for r in conductor.results if r.change.module == front.name)


def _still_led(front: Module, why: str, error: KbzError | None) -> KbzError:
    """Return the error of a run after which an entry still leads elsewhere, with what ended the run before that."""
    first = f"{error.sentence}; and " if error is not None else ""
    found = StepError(
        f"{first}{front.name} may still lead elsewhere: {why}",
        where=front.name,
        hint=f"{proposed('kbz', 'run', front.fronts)} takes it back first, and needs no freeze to be lifted for that",
    )
    found.code = error.code if error is not None else found.code
    return found
