"""How the pair of entry hosts is drilled: one dies, and the load balancer's address keeps answering on both ports."""

from __future__ import annotations

from keybuzz.model.reports.drill import Scenario, Workload
from keybuzz.site.drill import PAIR, Drill, by_the_other
from keybuzz.site.site import Site
from tasks.patroni.service import POSTGRESQL
from tasks.postgres_proxy.members import up
from tasks.postgres_proxy.values import HAPROXY, PGBOUNCER, POOL_PORT, POSTGRES_PORT

ENDPOINT = "10.0.0.10"
LIMIT = 30.0
"""Seconds: three checks of the provider's load balancer (LB-2), and a session that must begin anew."""


def through_haproxy(site: Site, scenario: Scenario) -> Workload:
    """Return the application's writes to the leader through the load balancer; PostgreSQL itself is not touched."""
    del scenario
    return _writes(site, POSTGRES_PORT)


def through_pgbouncer(site: Site, scenario: Scenario) -> Workload:
    """Return the application's writes through the load balancer and a pool."""
    del scenario
    return _writes(site, POOL_PORT)


def _writes(site: Site, port: int) -> Workload:
    return Workload(
        POSTGRESQL,
        ENDPOINT,
        port,
        site.secret("POSTGRES_APP_USER").reveal(),
        site.secret("POSTGRES_APP_PASS"),
        site.secret("POSTGRES_DB").reveal(),
    )


DRILL = Drill(
    name="haproxy",
    container=HAPROXY,
    workload=through_haproxy,
    not_recovered=by_the_other(up),
    limit=LIMIT,
    not_applicable=PAIR,
)
POOL_DRILL = Drill(
    name="pgbouncer",
    container=PGBOUNCER,
    workload=through_pgbouncer,
    not_recovered=by_the_other(up),
    limit=LIMIT,
    not_applicable=PAIR,
)
