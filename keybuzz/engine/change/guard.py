"""What stops a stage before it begins: quorum arithmetic over every cluster that its hosts carry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import Level
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.proposed import proposed
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Module
from keybuzz.site.site import Site

BACK_TIMEOUT = 600.0
"""Seconds for a member of a cluster to return after its host, or its Docker, was restarted."""


class QuorumError(RefusedError):
    """A stage would take a cluster below its majority. It may be allowed later, when members are back."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A group that needs a majority, as it is now."""

    name: str
    members: frozenset[str]
    up: frozenset[str]
    """Members that count for the quorum now; an unreachable one does not."""
    well: bool = True
    """False when one of its checks is critical already."""

    least: int | None = None
    """Members that must stay up where that is no majority; 0: it may be interrupted whenever that is asked for."""
    able: frozenset[str] | None = None
    """Members that serve now or could take over at once; None where every member that is up can."""
    resting: frozenset[str] = frozenset()
    """Members in maintenance: they may run, and may stop at any moment."""

    @property
    def lasting(self) -> frozenset[str]:
        """Members that count for the quorum now, and are not expected to stop."""
        return self.up - self.resting

    @property
    def majority(self) -> int:
        """Members that must stay up."""
        return len(self.members) // 2 + 1 if self.least is None else self.least

    def survives(self, stopping: Iterable[str]) -> bool:
        """Return whether the cluster keeps its quorum without these hosts, or has none to lose.

        A member in maintenance that runs is a part of the quorum that there is, and of none that must stay.
        """
        lost = self.up & frozenset(stopping)
        return not lost or len(self.up) < self.majority or len(self.lasting - lost) >= self.majority

    @property
    def spare(self) -> int:
        """Members that may stop before writes stop; negative when too many are away already."""
        spare = len(self.lasting) - max(self.majority, 1)
        if self.able is None:
            return spare
        return min(spare, max(0, len(self.able - self.resting) - 1))

    def unled(self, stopping: Iterable[str]) -> bool:
        """Return whether the last member that serves, or could take over, is among these hosts."""
        if self.able is None or len(self.members) < 2:
            return False
        stopped = frozenset(stopping)
        return bool(self.able & stopped) and not self.able - self.resting - stopped


def disrupted(stage: Stage) -> frozenset[str]:
    """Return the hosts on which the stage interrupts a running service."""
    return frozenset(change.host for change in stage.changes if change.disrupts)


def carried_by(stage: Stage, modules: Iterable[Module], site: Site) -> tuple[Module, ...]:
    """Return the modules with a quorum that a disrupted host of the stage belongs to."""
    hosts = disrupted(stage)
    return tuple(
        module
        for module in modules
        if module.members_up is not None
        and hosts & {server.name for server in site.members(module.group)}
    )


def fronts_of(
    stage: Stage, modules: Iterable[Module], site: Site
) -> tuple[tuple[Module, Server], ...]:
    """Return each entry that leads sessions to a host which the stage disrupts, with that host."""
    every = {module.name: module for module in modules}
    return tuple(
        (front, server)
        for front in every.values()
        if front.fronts in every and site.members(front.group)
        for server in site.members(every[front.fronts].group)
        if server.name in disrupted(stage)
    )


def cluster_of(module: Module, live: Live) -> Cluster:
    """Return a module's cluster as it is now."""
    up = module.members_up(live) if module.members_up else frozenset()
    everybody = frozenset(server.name for server in live.members)
    members = module.voters(live) if module.voters else everybody
    able = module.able(live) if module.able else None
    well = _trouble(module, live) is None
    return Cluster(module.name, members, up, well, module.least_up, able)


def _trouble(module: Module, live: Live) -> str | None:
    """Return what the worst check of a module says, or None when none is critical."""
    for finding in module.checks(live):
        if finding.level is Level.CRITICAL:
            return f"{finding.check}: {finding.message}"
    return None


def guard_quorum(
    stage: Stage, clusters: Iterable[Cluster], elsewhere: frozenset[str] = frozenset()
) -> None:
    """Raise QuorumError when a cluster would lose its quorum by this stage, unless the stage says that it must.

    `elsewhere` are hosts that something else interrupts at the same time.
    """
    own = disrupted(stage)
    for cluster in clusters:
        stopping = own | elsewhere if own & cluster.members else own
        if cluster.name == stage.interrupts:
            continue
        if cluster.unled(stopping):
            raise QuorumError(
                f"stage “{stage.name}” would stop {', '.join(sorted(stopping & cluster.members))}, and no other "
                f"member of {cluster.name} could take over now",
                where=cluster.name,
                hint=f"{proposed('kbz', 'health', cluster.name)} says why the others cannot",
            )
        if cluster.survives(stopping):
            continue
        raise QuorumError(
            f"stage “{stage.name}” would stop {', '.join(sorted(stopping & cluster.up))}, and {cluster.name} "
            f"would keep {len(cluster.lasting - stopping)} of {len(cluster.members)} members; "
            f"it needs {cluster.majority}",
            where=cluster.name,
            hint=_way_out(cluster, stopping),
        )


def _way_out(cluster: Cluster, stopping: frozenset[str]) -> str:
    """Return what would let a stage pass that the guard has refused."""
    down = sorted(cluster.members - cluster.up)
    resting = sorted((cluster.up & cluster.resting) - stopping)
    ways = [
        *([f"bring back {', '.join(down)} first"] if down else []),
        *([f"wait for the maintenance of {', '.join(resting)} to end"] if resting else []),
    ]
    return "; ".join(ways) or "one member at a time: use --limit with one host"


def back_again(module: Module, cluster: Cluster) -> Gate:
    """Return the gate after a stage of another module: as many members as before, and as well as before."""

    def reason(live: Live) -> str | None:
        missing = sorted(cluster.lasting - cluster_of(module, live).up)
        if missing:
            return f"{', '.join(missing)} not back in {cluster.name}"
        return _trouble(module, live) if cluster.well else None

    return Gate(f"{cluster.name} is as before", reason, BACK_TIMEOUT)
