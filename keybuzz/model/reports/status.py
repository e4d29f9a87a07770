"""What `kbz status` shows: all clusters at one moment, and what was last done to each. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Topology
from keybuzz.model.core.outcome import ExitCode


class Frozen(Enum):
    """Whether `kbz run` may change a cluster (FRZ-1)."""

    NO = "free"
    YES = "frozen"
    INSTALLING = "installing"
    """Its first install has begun and not ended."""
    VIRGIN = "virgin"
    """Not installed: no data, no container."""


@dataclass(frozen=True, slots=True)
class Passed:
    """The newest entry of the journal of one sort."""

    number: int
    verb: str
    seconds: float
    """Since it began."""
    exit_code: int | None
    """None when it was cut off, or still goes on."""


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """One module's hosts."""

    module: str
    title: str
    topology: Topology
    members: int
    up: int
    """Members that count for the quorum now."""
    needed: int
    """Members that must stay up."""
    spare: int
    """Members that may stop before writes stop; negative when too many are away already."""
    frozen: Frozen
    findings: tuple[Finding, ...]
    """Above ok, worst first, without those that follow from another of the same module."""
    run: Passed | None = None
    drift: Passed | None = None
    silent: bool = False
    """No member answered: nothing is known of it."""

    @property
    def level(self) -> Level:
        """The worst of its findings."""
        return max((finding.level for finding in self.findings), default=Level.OK)


@dataclass(frozen=True, slots=True)
class Status:
    """All clusters."""

    clusters: tuple[ClusterStatus, ...]
    hosts: tuple[str, ...]
    """Selected, whether they answered or not."""
    unreachable: tuple[tuple[str, str], ...]
    """Host and reason."""
    findings: tuple[Finding, ...]
    """Of the hosts themselves (module base), as in ClusterStatus."""
    seconds: float
    absent: tuple[str, ...] = ()
    """Selected, and never started in this lab: neither asked nor judged."""
    elsewhere: tuple[str, ...] = ()
    """Modules of which no member is in this lab."""

    @property
    def exit_code(self) -> ExitCode:
        """As `kbz health` ends: unreachable before unhealthy."""
        if self.unreachable:
            return ExitCode.UNREACHABLE
        levels = [cluster.level for cluster in self.clusters]
        levels += [finding.level for finding in self.findings]
        return ExitCode.DIFFERENT if max(levels, default=Level.OK) > Level.WARN else ExitCode.GOOD
