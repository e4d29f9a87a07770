"""Takes the modules of a run side by side: what shares neither host nor gate is at work at the same time.

Base comes first because every module requires it; what is last says so. A module that fails stops those that need it,
and those on its hosts; all others come to their end.
"""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from keybuzz.engine import events
from keybuzz.engine.chains.branch import Branch, branch_of, merge, part_of
from keybuzz.engine.chains.ending import ended
from keybuzz.engine.chains.order import End, Place, arrange
from keybuzz.engine.change.conduct import Conductor
from keybuzz.engine.look.observe import Snapshot
from keybuzz.model.core.errors import KbzError
from keybuzz.site.module import Module
from keybuzz.transport.meeting import meeting_in
from keybuzz.transport.runner import disconnect

_LOOK_UP = 0.25
"""Seconds after which a signal is noticed at the latest that another thread got."""
_PATIENCE = 30.0
"""Seconds for modules that were cut off to come to their end."""


def side_by_side(
    conductor: Conductor, chain: tuple[Module, ...], snapshot: Snapshot
) -> tuple[Snapshot, list[Module]]:
    """Bring the modules of a chain to their description, each as soon as what it waits for has ended.

    Returns:
        The newest reading, and the modules of which a part is put off.

    Raises:
        KbzError: Modules failed; all others have ended, or could not begin.
    """
    places = arrange(chain, conductor.every_module, conductor.site)
    turn = _Turn(conductor, places, snapshot)
    conductor.listen(events.Arranged({place.name: tuple(sorted(place.before)) for place in places}))
    turn.take_all()
    if (error := ended(places, turn.ends, turn.errors)) is not None:
        raise error
    if len(turn.ends) < len(places):
        conductor.check_stop()
    if conductor.results:
        # Each module has read its own hosts: what is proven at the end is of one moment.
        turn.snapshot = conductor.read()
    return turn.snapshot, [place.module for place in places if place.name in turn.put_off]


class _Turn:
    """How far a run has got."""

    def __init__(self, conductor: Conductor, places: tuple[Place, ...], snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.ends: dict[str, End] = {}
        self.errors: dict[str, KbzError] = {}
        self.put_off: set[str] = set()
        self._conductor = conductor
        self._places = {place.name: place for place in places}
        self._running: dict[Future[None], Branch] = {}

    def take_all(self) -> None:
        """Take every module that can begin, until none is left, or the run is stopped."""
        pool = ThreadPoolExecutor(len(self._places) or 1, thread_name_prefix="module")
        cuts = self._conductor.cuts
        try:
            cuts.forbid()  # a module that has begun is known as one that runs
            self._begin(pool)
            cuts.allow()
            while self._running:
                done = wait(self._running, _LOOK_UP, FIRST_COMPLETED).done
                cuts.forbid()  # what a module did is taken over as a whole
                for future in done:
                    self._end(future)
                if done:
                    self._begin(pool)
                cuts.allow()
        except BaseException:
            self._cut()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, pool: ThreadPoolExecutor) -> None:
        """Begin every module whose turn it is; say of those that cannot begin any more which is why.

        None begins when the run is stopped.
        """
        if self._conductor.stopped is not None:
            return
        begun = {branch.place.name for branch in self._running.values()}
        for place in self._places.values():
            if place.name in begun or not place.open(self.ends):
                continue
            if place.barred(self._places, self.ends):
                self.ends[place.name] = End.NOT_BEGUN
                bad = [name for name in self._places if name in place.before and self._bad(name)]
                self._conductor.listen(events.NotBegun(place.name, tuple(bad)))
                continue
            self._start(pool, place)

    def _start(self, pool: ThreadPoolExecutor, place: Place) -> None:
        branch = branch_of(self._conductor, place)
        names = list(self._places)
        later = names[names.index(place.name) + 1 :]
        # What an earlier module changed may show on these hosts too: that is read again.
        fresh = not self._conductor.results
        task = pool.submit(
            branch.run,
            part_of(self.snapshot, place.hosts),
            tuple(self._places[name].module for name in later),
            fresh=fresh,
        )
        self._running[task] = branch

    def _end(self, future: Future[None]) -> None:
        branch = self._running.pop(future)
        name = branch.place.name
        future.result()
        self.snapshot = merge(self._conductor, branch, self.snapshot)
        self.ends[name] = End.WELL if branch.error is None else End.FAILED
        if branch.error is not None:
            self.errors[name] = branch.error
        if branch.put_off:
            self.put_off.add(name)

    def _bad(self, name: str) -> bool:
        return self.ends[name] is not End.WELL

    def _cut(self) -> None:
        """Cut off what is at work, and take over what was done.

        Until it has ended no connection opens: a module that was between two of its steps would begin the next on a
        new one. Those that were opened in the very moment of the cut are closed with the next look.
        """
        conductor = self._conductor
        conductor.cut_off.set()
        conductor.stop.set()
        deadline = time.monotonic() + _PATIENCE
        with meeting_in(conductor.nornir.config.user_defined).closed():
            left = self._disconnected(set(self._running))
            while left and time.monotonic() < deadline:
                left = self._disconnected(set(wait(left, _LOOK_UP).not_done))
        for future, branch in self._running.items():
            self.snapshot = merge(conductor, branch, self.snapshot)
            if future in left:
                what = f"{branch.place.name} was cut off and has not ended: what became of it there is not known"
                conductor.listen(events.HostsLost(tuple(sorted(branch.place.hosts)), what))

    def _disconnected(self, futures: set[Future[None]]) -> set[Future[None]]:
        """Close the connections of what these do; return them."""
        hosts = self._conductor.nornir.inventory.hosts
        for future in futures:
            for name in self._running[future].place.hosts & hosts.keys():
                disconnect(hosts[name])
        return futures
