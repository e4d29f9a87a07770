"""How the entry to Redis is drilled: one of its hosts dies, and the load balancer's address keeps answering."""

from __future__ import annotations

from keybuzz.model.reports.drill import Scenario, Workload
from keybuzz.site.drill import PAIR, Drill, by_the_other
from keybuzz.site.site import Site
from tasks.redis.service import REDIS
from tasks.redis_proxy import values
from tasks.redis_proxy.members import up

ENDPOINT = "10.0.0.10"
LIMIT = 30.0
"""Seconds: three checks of the provider's load balancer (LB-2), and a session that must begin anew."""


def workload(site: Site, scenario: Scenario) -> Workload:
    """Return an application's writes through the load balancer; the master itself is not touched, so none is lost."""
    del scenario
    return Workload(REDIS, ENDPOINT, values.REDIS_PORT, "", values.password(site))


DRILL = Drill(
    container=values.HAPROXY,
    workload=workload,
    not_recovered=by_the_other(up),
    limit=LIMIT,
    not_applicable=PAIR,
)
