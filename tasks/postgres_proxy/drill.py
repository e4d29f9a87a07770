"""How the pair of entry hosts is drilled: one of them dies, and the load balancer's address keeps answering."""

from __future__ import annotations

from keybuzz.model.drill import Scenario, Workload, WorkloadKind
from keybuzz.site.drill import PAIR, Drill, by_the_other
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


DRILL = Drill(
    name="haproxy",
    container=HAPROXY,
    workload=workload,
    not_recovered=by_the_other(up),
    limit=LIMIT,
    not_applicable=PAIR,
)
