"""What a verb says at its end: one value, shown as text or JSON by the report room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Quorum, Topology
from keybuzz.model.core.outcome import ExitCode, Outcome, exit_code
from keybuzz.model.core.plan import Plan
from keybuzz.model.core.visible import in_one_line
from keybuzz.model.reports.drift import DriftReport
from keybuzz.model.reports.handover import Handover
from keybuzz.model.reports.stages import PlannedStage


@dataclass(frozen=True, slots=True)
class HostReport:
    """How one selected host ended."""

    host: str
    outcome: Outcome
    changed: int = 0
    """Changes that were made."""
    remaining: int = 0
    """Changes that are still to be made."""
    what: str = ""
    hint: str = ""

    def __post_init__(self) -> None:
        in_one_line(self, "what", "hint")


@dataclass(frozen=True, slots=True)
class Report:
    """The last word of one verb."""

    verb: str
    modules: tuple[str, ...]
    hosts: Mapping[str, HostReport]
    plan: Plan
    """For run: what was planned at its start. Otherwise: what is to be done."""
    findings: tuple[Finding, ...]
    topologies: tuple[Topology, ...]
    seconds: float
    error: str = ""
    error_code: ExitCode = ExitCode.GOOD
    round_trips: Mapping[str, int] = field(default_factory=dict)
    """Requests that each host answered over the connection that is open at the end."""
    number: int = 0
    """Number in the journal; 0 when the verb is not recorded."""
    warnings: tuple[str, ...] = ()
    """What went wrong beside the verb itself, such as a hook after it. It changes no exit code."""
    drift: DriftReport | None = None
    """For drift: everything by its id, against the run before."""
    stages: tuple[PlannedStage, ...] = ()
    """For plan: the stages that a run would take, in order."""
    handover: Handover | None = None
    """For switchover: who led, who leads now, and what that cost."""
    resting: Mapping[str, str] = field(default_factory=dict)
    """Hosts in maintenance, of those that the verb is about: until when, and why."""
    absent: tuple[str, ...] = ()
    """Selected, and never started in this lab: neither asked nor judged."""
    quorums: Mapping[str, Quorum] = field(default_factory=dict)
    """For health: of each cluster that was asked, by module."""

    @property
    def answered(self) -> frozenset[str]:
        """Hosts that answered."""
        silent = (Outcome.UNREACHABLE, Outcome.UNKNOWN)
        return frozenset(host for host, item in self.hosts.items() if item.outcome not in silent)

    @property
    def checked(self) -> tuple[int, int]:
        """Hosts that answered, and hosts that were selected."""
        return len(self.answered), len(self.hosts)

    @property
    def worst(self) -> Level:
        """The worst level among the findings."""
        return max((finding.level for finding in self.findings), default=Level.OK)

    @property
    def exit_code(self) -> ExitCode:
        """The verb's exit code, computed from what happened and from nothing else."""
        if self.error_code not in (ExitCode.GOOD, ExitCode.FAILED):
            return self.error_code
        code = exit_code(report.outcome for report in self.hosts.values())
        if code is ExitCode.GOOD and self.error_code is not ExitCode.GOOD:
            return self.error_code
        if code is not ExitCode.GOOD:
            return code
        return self._by_verb()

    def _by_verb(self) -> ExitCode:
        if self.verb in ("plan", "drift"):
            differs = self.plan.size or (self.drift is not None and self.drift.present)
            return ExitCode.DIFFERENT if differs else ExitCode.GOOD
        if self.worst <= Level.WARN:
            return ExitCode.GOOD
        return ExitCode.DIFFERENT if self.verb == "health" else ExitCode.FAILED
