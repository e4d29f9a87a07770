"""How the pair of entry hosts is drilled: one of them dies, and the load balancer's address keeps answering."""

from __future__ import annotations

from keybuzz.model.drill import Scenario, Workload, WorkloadKind
from keybuzz.model.live import Live
from keybuzz.site.drill import Drill
from keybuzz.site.site import Site
from tasks.postgres_proxy.members import up
from tasks.postgres_proxy.values import HAPROXY, POSTGRES_PORT

ENDPOINT = "10.0.0.10"
LIMIT = 30.0
"""Seconds: three checks of the provider's load balancer (LB-2), and a session that must begin anew."""


def workload(site: Site, scenario: Scenario) -> Workload:
    """Return the application's writes through the load balancer; PostgreSQL itself is not touched."""
    del scenario
    return Workload(
        WorkloadKind.POSTGRESQL,
        ENDPOINT,
        POSTGRES_PORT,
        site.secret("POSTGRES_APP_USER").reveal(),
        site.secret("POSTGRES_APP_PASS"),
        site.secret("POSTGRES_DB").reveal(),
    )


def not_recovered(live: Live, scenario: Scenario, victim: str) -> str | None:
    """Return why the other host does not take sessions, or None when it does."""
    del scenario
    return None if up(live) - {victim} else "no other host takes sessions"


DRILL = Drill(
    name="haproxy",
    container=HAPROXY,
    workload=workload,
    not_recovered=not_recovered,
    limit=LIMIT,
    not_applicable={Scenario.SWITCHOVER: "nobody leads in a pair of proxies: both take sessions"},
)
