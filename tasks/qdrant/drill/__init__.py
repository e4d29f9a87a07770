"""How Qdrant is drilled: its process dies, and what it acknowledged is there when Docker has started it again."""

from __future__ import annotations

from keybuzz.model.core.live import Live
from keybuzz.model.reports.drill import Scenario, Workload
from keybuzz.site.drill import Drill
from keybuzz.site.site import Site
from tasks.qdrant import values
from tasks.qdrant.members import nodes
from tasks.qdrant.service import QDRANT

LIMIT = 60.0
"""Seconds: Docker starts it again, and it reads its log of writes."""
_AWAY = "one node: no other serves while it is away"


def workload(site: Site, scenario: Scenario) -> Workload:
    """Return an application's points, each acknowledged when it is in the log of writes."""
    del scenario
    address = str(values.node(site).address)
    return Workload(QDRANT, address, values.HTTP_PORT, "", site.secret("QDRANT_API_KEY"))


def not_recovered(live: Live, scenario: Scenario, victim: str) -> str | None:
    """Return why the victim does not serve again; None when it does."""
    del scenario
    found = nodes(live)
    if victim not in found:
        return f"{victim} cannot be read"
    return found[victim].not_serving or None


DRILL = Drill(
    container=values.CONTAINER,
    workload=workload,
    not_recovered=not_recovered,
    limit=LIMIT,
    not_applicable={
        Scenario.SWITCHOVER: "one node: no other could lead",
        Scenario.CONTAINER_STOPPED: _AWAY,
        Scenario.HOST_KILLED: _AWAY,
        Scenario.LINK_CUT: _AWAY,
    },
)
