"""Which hosts of a run are open, which failed, and whether it may go on. Counted over the whole run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from keybuzz.engine.pace.pace import Pace
from keybuzz.model.core.errors import KbzError, StepError, sentence_of
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.proposed import proposed
from keybuzz.site.module import Module

Trouble = frozenset[tuple[str, str]]
"""Check and host of what is critical."""


@dataclass
class Waves:
    """The progress of one run over its hosts."""

    pace: Pace
    selected: frozenset[str]
    failed: dict[str, str] = field(default_factory=dict)
    """By host that is left out from now on: why."""
    tried: set[str] = field(default_factory=set)
    """Kinds of dangerous change that a host of this run has taken, and could be reached afterwards."""

    @property
    def size(self) -> int:
        """Hosts of one batch."""
        return self.pace.size(len(self.selected))

    @property
    def exhausted(self) -> bool:
        """True when more hosts have failed than may."""
        return len(self.failed) > self.pace.max_fail.of(len(self.selected))

    def after(self, opened: frozenset[str], module: Module, live: Live) -> frozenset[str]:
        """Return the hosts to open next for a module, after those that are open.

        The hosts of a cluster are opened together: only its rollout knows their order, the leader last. The
        canary comes before all others.
        """
        closed = [host for host in pending(live) if host not in opened]
        if self.pace.canary in closed:
            return frozenset({self.pace.canary})
        if module.members_up is not None or self.pace.batch is None:
            # The leader is written to, selected or not.
            return frozenset(live.hosts) | self.selected
        return frozenset(closed[: self.size])

    def part(self, stage: Stage, left: tuple[str, ...]) -> tuple[str, ...]:
        """Return the hosts of a stage to change next, at once, of those that are left.

        A dangerous change goes to one host first: the others follow when that one has answered a new connection.
        """
        if len(left) > 1 and self.trial(stage, left):
            return (self.pace.canary if self.pace.canary in left else left[0],)
        return left[: self.size]

    def trial(self, stage: Stage, hosts: tuple[str, ...]) -> bool:
        """Return whether the change of these hosts is the first of a dangerous kind, or that of the canary."""
        return hosts == (self.pace.canary,) or bool(dangerous(stage) - self.tried)


def dangerous(stage: Stage) -> frozenset[str]:
    """Return the kinds of change in a stage of which a wrong one locks kbz out of a host."""
    return frozenset(c.resource.kind for c in stage.changes if c.resource.guarded)


def pending(live: Live) -> tuple[str, ...]:
    """Return the hosts with something left to do, in their order."""
    return tuple(dict.fromkeys(change.host for change in live.changes()))


def trouble(module: Module, live: Live) -> Trouble:
    """Return what is critical on the hosts of a module; nothing where it cannot be judged."""
    try:
        return frozenset((finding.check, finding.host) for finding in _critical(module, live))
    except Exception:  # what cannot be judged later ends the roll then
        return frozenset()


@dataclass(frozen=True, slots=True)
class Worse:
    """Why a host that this run has changed counts as failed."""

    what: str
    hint: str


def silent(unreachable: Mapping[str, str], hosts: Iterable[str]) -> Mapping[str, Worse]:
    """Return the hosts among these that do not answer any more."""
    return {
        host: Worse(
            f"it does not answer since it was changed: {unreachable[host]}",
            proposed("kbz", "preflight", "--limit", host),
        )
        for host in sorted(unreachable.keys() & frozenset(hosts))
    }


def worse(module: Module, before: Trouble, live: Live, hosts: Iterable[str]) -> Mapping[str, Worse]:
    """Return the hosts among these that have become critical, each with the first of its findings.

    Raises:
        StepError: The checks of the module cannot judge what the hosts say.
    """
    wanted = frozenset(hosts)
    found: dict[str, Worse] = {}
    for finding in _judged(module, live):
        if finding.host in wanted and (finding.check, finding.host) not in before:
            what = f"{finding.check}: {finding.message}; it was not so before this run"
            hint = finding.hint or proposed("kbz", "explain", finding.check)
            found.setdefault(finding.host, Worse(what, hint))
    return found


def _judged(module: Module, live: Live) -> tuple[Finding, ...]:
    try:
        return _critical(module, live)
    except KbzError:
        raise
    except Exception as error:
        raise StepError(
            f"whether its hosts are well cannot be judged, so no other is begun: {sentence_of(error)}",
            where=module.name,
            hint=proposed("kbz", "health", module.name),
        ) from error


def _critical(module: Module, live: Live) -> tuple[Finding, ...]:
    return tuple(finding for finding in module.checks(live) if finding.level is Level.CRITICAL)
