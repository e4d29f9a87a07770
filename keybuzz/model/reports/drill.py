"""Drills: what is broken on purpose, who writes meanwhile, and what the ledger says afterwards. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.secret import Secret

DRILL_PLACE = "kbz_drill"


class Scenario(Enum):
    """What a drill does to its victim. The words are those of `--scenario`."""

    SWITCHOVER = "switchover"
    """The leader is asked to hand over; nothing is broken."""
    CONTAINER_KILLED = "container-killed"
    """The main process dies as in a crash, and Docker starts it again by itself."""
    CONTAINER_STOPPED = "container-stopped"
    """`docker stop`, as by hand: it stays down until the drill starts it."""
    HOST_KILLED = "host-killed"
    """The plug is pulled: nothing of the host answers any more."""
    LINK_CUT = "link-cut"
    """The host runs on, alone: it must not accept writes when the others have gone on."""

    @property
    def silences(self) -> bool:
        """True when kbz cannot ask the victim during the fault."""
        return self in (Scenario.HOST_KILLED, Scenario.LINK_CUT)


@dataclass(frozen=True, slots=True)
class WorkloadKind:
    """The protocol that a workload speaks, and what speaks it."""

    name: str
    library: str
    """What its client imports, which may not be installed."""
    package: str
    """What to install then, as pip names it."""
    client: str
    """The Python module with `connect(workload)`, which returns a keybuzz.site.drill.Client."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Numbered writes to one official endpoint, as an application does them, each with a confirmation."""

    kind: WorkloadKind
    address: str
    port: int
    user: str
    password: Secret
    database: str = ""
    """Database or virtual host; empty where there is none."""
    promised: bool = True
    """Whether the service promises that an acknowledged write survives this scenario."""
    expectation: str = ""
    """Why acknowledged writes may be lost, when it is not promised."""
    setting: str = ""
    """The setting of the service that decides what a failover may lose, such as `min-replicas-to-write 0`."""
    place: str = DRILL_PLACE
    """Table, key or queue that is written; kbz's own."""


@dataclass(frozen=True, slots=True)
class Isolated:
    """How to try one write on a node that cannot be reached, run on that node itself."""

    argv: tuple[str, ...]
    feed: Secret | None = None
    """Goes to its standard input."""
    accepted: str = ""
    """Stands in its output exactly when the write was accepted."""
    promised: bool = True
    """Whether the service promises to refuse it."""
    expectation: str = ""
    """Why it may be accepted, when it is not promised."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of a workload's writes."""

    acknowledged: int = 0
    lost: int = 0
    """Acknowledged and not there at the end."""
    unknown: int = 0
    """Failed after they may have been sent: they may be there or not."""
    unknown_there: int = 0
    """Of the unknown ones, those that are there."""


def tally(acknowledged: Collection[int], unknown: Collection[int], found: Iterable[int]) -> Tally:
    """Compare a ledger with what was read back."""
    there = frozenset(found)
    return Tally(
        acknowledged=len(acknowledged),
        lost=len(frozenset(acknowledged) - there),
        unknown=len(unknown),
        unknown_there=len(frozenset(unknown) & there),
    )


def longest_gap(times: Iterable[float], since: float, until: float) -> float:
    """Return the longest time without an acknowledged write between two moments, in seconds.

    A write before `since` says nothing about what came after; the wait still open at `until` counts.
    """
    marks = [since, *sorted(time for time in times if since < time <= until), max(since, until)]
    return max(after - before for before, after in pairwise(marks))


class Verdict(Enum):
    """How one trial ended."""

    RECOVERED = "recovered"
    FAILED = "failed"
    ABORTED = "aborted"
    """One of its conditions, or the operator, ended it early; what it had broken was restored."""
    NOT_AVAILABLE = "not available"
    """It cannot be done here, or means nothing for this victim; the message says why."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One scenario on one victim, and what came of it."""

    scenario: Scenario
    victim: str
    verdict: Verdict
    messages: tuple[str, ...] = ()
    seconds: float | None = None
    """The longest time without an acknowledged write, from the fault on."""
    limit: float | None = None
    """Seconds within which it had to recover."""
    tally: Tally | None = None
    promised: bool = True
    isolated_accepted: bool | None = None
    """Whether the cut-off node accepted a write; None when that was not tried."""
    leader_before: str = ""
    leader_after: str = ""
    restored: bool = True
    """True when the cluster was green, with all members, at the end."""


@dataclass(frozen=True, slots=True)
class DrillReport:
    """The last word of `kbz drill`."""

    drill: str
    module: str
    endpoint: str
    trials: tuple[Trial, ...]
    seconds: float
    interrupted: bool = False
    error: str = ""
    number: int = 0
    """Number in the journal."""
    setting: str = ""
    """As in Workload."""

    @property
    def written(self) -> int:
        """Acknowledged writes of all trials."""
        return sum(trial.tally.acknowledged for trial in self.trials if trial.tally)

    @property
    def lost(self) -> int:
        """Of these, the ones that were not there at the end."""
        return sum(trial.tally.lost for trial in self.trials if trial.tally)

    @property
    def exit_code(self) -> ExitCode:
        """0 when every trial recovered that could be done, and at least one was; 3 when none could."""
        verdicts = {trial.verdict for trial in self.trials}
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if self.error or verdicts & {Verdict.FAILED, Verdict.ABORTED}:
            return ExitCode.FAILED
        return ExitCode.GOOD if Verdict.RECOVERED in verdicts else ExitCode.REFUSED
