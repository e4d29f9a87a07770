"""What a module knows about its own drills: pure data and functions, filled by `tasks/<module>/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from keybuzz.model.drill import Isolated, Scenario, Workload
from keybuzz.model.live import Live
from keybuzz.model.server import Server
from keybuzz.site.site import Site


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
    """Host that leads now; None when nobody does, or where nobody ever does."""
    unit: Callable[[Server], str] | None = None
    """The systemd unit that is killed or stopped instead of a container."""
    name: str = ""
    """What the operator calls it, when that is not the module's name."""
    limit: float = 120.0
    """Seconds from the fault until it must have recovered."""
    isolated: Callable[[Site, Server], Isolated] | None = None
    not_applicable: Mapping[Scenario, str] = field(default_factory=dict)
    """Scenarios that mean nothing here, and why."""
    why_not: Callable[[Site, Scenario], str] = lambda site, scenario: ""
    """Why a scenario can not be done with the parameters of this site; empty when it can."""
