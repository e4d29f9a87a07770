"""A restart of Docker that waits for a member's own step, so that each member of a cluster is interrupted once.

A module says of a stage that it may wait (`Stage.joins`). When a module that comes later interrupts the same host
anyway, the stage is put off, and its changes are made first in that module's step: behind its gates, and after its
hand-over. What no later step has taken is done at the end by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from keybuzz.engine.change.freeze import Freeze
from keybuzz.engine.change.guard import disrupted
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.core.proposed import proposed
from keybuzz.model.host.docker import Container, StoppedContainer
from keybuzz.site.module import Module


def taken_by(stage: Stage, later: Iterable[Live]) -> str:
    """Return the module to come whose own changes interrupt the stage's hosts; empty when the stage cannot wait."""
    if not stage.joins:
        return ""
    hosts = frozenset(stage.hosts)
    names = (live.module for live in later if hosts <= interrupted(live))
    return next(names, "")


def goes_on(module: Module, live: Live, freeze: Freeze) -> bool:
    """Return whether a run would make a module's changes; a restart that waits for a refused step never comes."""
    if freeze.refuses(module, live):
        return False
    try:
        module.next_stage(live)
    except RefusedError:
        return False
    except Exception:  # the run says so itself when it gets there
        return True
    return True


def still_waiting(waiting: Mapping[str, tuple[Module, Stage]]) -> str:
    """Return what was put off for a step that did not come, and the command that makes it."""
    names = ", ".join(dict.fromkeys(stage.name for _, stage in waiting.values()))
    module = next(iter(waiting.values()))[0].name
    command = proposed("kbz", "run", module, "--limit", ",".join(sorted(waiting)))
    return f"not done, and still needed: {names}; {command} does it alone"


def interrupted(live: Live) -> frozenset[str]:
    """Return the hosts on which a module's own changes interrupt what runs."""
    return frozenset(change.host for change in live.changes() if change.disrupts)


def without(live: Live, hosts: Iterable[str]) -> Live:
    """Return a module's hosts as if nothing were left to do on these."""
    left_out = frozenset(hosts)
    views = {
        host: replace(view, changes=()) if host in left_out else view
        for host, view in live.hosts.items()
    }
    return replace(live, hosts=views)


def joined(stage: Stage, waiting: Mapping[str, Stage]) -> Stage:
    """Return a stage with what was put off on the hosts that it interrupts, which goes first.

    What the stage replaces is stopped before: the engine would start the old container once more, as a member.
    """
    hosts = sorted(disrupted(stage) & waiting.keys())
    if not hosts:
        return stage
    before = tuple(
        change
        for host in hosts
        if (put_off := waiting[host].of(host))
        for change in (*_stops(stage.of(host)), *put_off)
    )
    names = (*(waiting[host].name for host in hosts), stage.name)
    return replace(stage, name=", then ".join(names), changes=(*before, *stage.changes))


def _stops(changes: Iterable[Change]) -> Iterator[Change]:
    """Yield the stop of each container that these changes replace while it runs."""
    for change in changes:
        match change.resource:
            case Container(container=name, stop_timeout=seconds) if change.disrupts:
                yield Change(
                    change.host,
                    change.module,
                    StoppedContainer(name, seconds),
                    Action.UPDATE,
                    (Difference("running", True, False),),
                    disrupts=True,
                )


def still(stage: Stage, changes: Iterable[Change]) -> Stage:
    """Return a stage that was put off with its changes as they are now; without what was changed by hand meanwhile."""
    known = {(change.host, change.identity) for change in stage.changes}
    now = tuple(change for change in changes if (change.host, change.identity) in known)
    return replace(stage, changes=now)


def is_joined(module: str, stage: Stage) -> bool:
    """Return whether a stage carries another module's changes too: those interrupt more than its own."""
    return any(change.module != module for change in stage.changes)
