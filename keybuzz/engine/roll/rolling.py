"""The roll over the members of a restart: prove, restart one, prove again."""

from __future__ import annotations

from keybuzz.engine.change.conduct import Conductor
from keybuzz.engine.change.guard import Cluster, cluster_of
from keybuzz.engine.look.observe import Snapshot
from keybuzz.engine.roll.next_member import BACK_TIMEOUT, left, next_step, refuse_standing, whole
from keybuzz.model.core.live import Stage
from keybuzz.site.module import Module

FIRST_TIMEOUT = 60.0
"""Seconds for a group to be whole before anything is touched."""


def roll(
    conductor: Conductor, module: Module, clusters: tuple[Module, ...], snapshot: Snapshot
) -> None:
    """Prove, restart one member, prove again, until none is left. A cluster with no member up has nothing to lose."""
    timeout = FIRST_TIMEOUT
    site = conductor.site
    snapshot = conductor.taken_back(snapshot)
    installed = [
        found
        for found in clusters
        if found.members_up is None or found.members_up(conductor.view(snapshot).live(found, site))
    ]
    if not _apart(conductor, module, installed, snapshot):
        waiting = _waiting(conductor, module, snapshot)
        for found in installed:
            refuse_standing(found, conductor.view(snapshot).live(found, site), waiting)
    while True:
        snapshot = _regained(conductor, module, installed, snapshot)
        apart = _apart(conductor, module, installed, snapshot)
        # The member that is wrong may be restarted while it is: the others have their majority without it.
        waiting = _waiting(conductor, module, snapshot)
        for found in () if apart else installed:
            gate = Stage("proof", (), after=whole(found, timeout, waiting))
            snapshot = conductor.stage(found, gate, snapshot)
        view = conductor.view(snapshot)
        lives = tuple((found, view.live(found, site)) for found in installed)
        stage = next_step(view.live(module, site), lives, apart, conductor.pace.canary)
        if stage is None:
            return
        snapshot = conductor.stage(module, stage, snapshot)
        timeout = BACK_TIMEOUT
        still = _waiting(conductor, module, snapshot)
        if still and still < waiting:
            done = conductor.selected - still
            snapshot = conductor.rested(module.name, done, tuple(sorted(still)), snapshot)


def _waiting(conductor: Conductor, module: Module, snapshot: Snapshot) -> frozenset[str]:
    """Return the hosts that are still to restart."""
    return frozenset(left(conductor.view(snapshot).live(module, conductor.site)))


def _apart(
    conductor: Conductor, module: Module, clusters: list[Module], snapshot: Snapshot
) -> frozenset[str]:
    """Return the hosts still to restart that are no part of what serves, where that has a majority without them."""
    view, site = conductor.view(snapshot), conductor.site
    waiting = _waiting(conductor, module, snapshot)
    quorate = [
        counted
        for found in clusters
        if found.members_up is not None
        and len((counted := cluster_of(found, view.live(found, site))).up) >= counted.majority
    ]
    if len(quorate) < len(clusters):
        return frozenset()
    return frozenset(host for host in waiting if any(is_apart(c, host) for c in quorate))


def is_apart(cluster: Cluster, host: str) -> bool:
    """Return whether a member is no part of what serves.

    One that takes writes without the others serves too: it may hold what no other has, and restarted it may lose it.
    """
    serving = cluster.up | (cluster.able or frozenset())
    return host in cluster.members and host not in serving


def _regained(
    conductor: Conductor, module: Module, clusters: list[Module], snapshot: Snapshot
) -> Snapshot:
    """Let every host that has come back take back what was released before: its node takes pods again."""
    for found in clusters:
        waiting = left(conductor.view(snapshot).live(module, conductor.site))
        for host in sorted(conductor.selected - set(waiting)):
            live = conductor.view(snapshot).live(found, conductor.site)
            if host in live.hosts and (stage := found.regain(live, host)) is not None:
                snapshot = conductor.stage(found, stage, snapshot)
    return snapshot
