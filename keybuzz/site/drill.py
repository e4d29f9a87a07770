"""What a module knows about its own drills, filled by `tasks/<module>/`, and what its client does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from keybuzz.model.core.errors import KbzError
from keybuzz.model.core.live import Live
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.drill import DRILL_PLACE, Isolated, Scenario, Workload
from keybuzz.site.site import Site

NAME = DRILL_PLACE
"""Table, key or queue of a drill: kbz's own, made at its start and removed at its end."""
PATIENCE = 3.0
"""Seconds that a client waits for one answer before it connects again."""


class NotSentError(KbzError):
    """A write never left: there was no connection."""


class UnconfirmedError(KbzError):
    """A write was sent, and no confirmation came: it may be there or not."""


class Client(Protocol):
    """One session to an official endpoint; it connects by itself, and again after every error.

    Every method raises NotSentError or UnconfirmedError when the service does not do what it should; none
    waits much longer than PATIENCE.
    """

    def prepare(self) -> None:
        """Make the probe's place, empty: what an earlier drill left there is removed."""

    def write(self, number: int) -> None:
        """Write one number and return when the service has confirmed it."""

    def read(self) -> frozenset[int]:
        """Return every number that is there."""

    def remove(self) -> None:
        """Remove the probe's place."""

    def close(self) -> None:
        """Close the connection; never raises."""


@dataclass(frozen=True, slots=True)
class Drill:
    """How one cluster is drilled (`kbz drill`)."""

    container: str
    """What is killed or stopped on the victim; for people only, where that is a unit."""
    workload: Callable[[Site, Scenario], Workload]
    """Who writes during the fault, and whether the service promises to keep what it acknowledges."""
    not_recovered: Callable[[Live, Scenario, str], str | None]
    """Why the cluster is not yet what it must be while the victim (a host) is broken; None when it is."""
    leader: Callable[[Live], str | None] = lambda live: None
    """Host that leads now; None without a leader, or where there never is one."""
    unit: Callable[[Server], str] | None = None
    """The systemd unit that is killed or stopped instead of a container."""
    name: str = ""
    """What the operator calls it, when that is not the module's name."""
    limit: float = 120.0
    """Seconds from the fault until it must have recovered."""
    isolated: Callable[[Site, Server], Isolated] | None = None
    not_applicable: Mapping[Scenario, str] = field(default_factory=dict)
    """Scenarios that mean nothing here, and why."""
    unhealed: Callable[[Site, Live, str], str] = lambda site, live, victim: ""
    """Why the cluster does not become whole by itself although the fault is taken back; empty when it does.

    Then the victim's container is restarted, once, as an operator would do it, and the report says so.
    """
    unfit: Callable[[Site, Scenario, str], str] = lambda site, scenario, victim: ""
    """Why a scenario means nothing on this one victim; empty when it does."""


PAIR = {Scenario.SWITCHOVER: "a pair of proxies has no leader: both take sessions"}
"""What means nothing for two hosts that carry the same sessions."""


def by_the_other(
    up: Callable[[Live], frozenset[str]],
) -> Callable[[Live, Scenario, str], str | None]:
    """Return when a pair of entry hosts has recovered: another one than the victim takes sessions."""

    def not_recovered(live: Live, scenario: Scenario, victim: str) -> str | None:
        del scenario
        return None if up(live) - {victim} else "no other host takes sessions"

    return not_recovered
