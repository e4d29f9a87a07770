"""How the entry to MariaDB is drilled: one of its hosts dies, and the load balancer's address keeps answering."""

from __future__ import annotations

from keybuzz.model.reports.drill import Scenario, Workload
from keybuzz.site.drill import PAIR, Drill, by_the_other
from keybuzz.site.site import Site
from tasks.galera.service import MYSQL
from tasks.proxysql import values
from tasks.proxysql.members import up

ENDPOINT = "10.0.0.20"
LIMIT = 30.0
"""Seconds: three checks of the provider's load balancer (LB-2), and a session that must begin anew."""


def workload(site: Site, scenario: Scenario) -> Workload:
    """Return the application's writes through the load balancer; Galera itself is not touched."""
    del scenario
    return Workload(
        MYSQL,
        ENDPOINT,
        values.PORT,
        site.secret("MARIADB_APP_USER").reveal(),
        site.secret("MARIADB_APP_PASSWORD"),
        site.secret("MARIADB_DB").reveal(),
    )


DRILL = Drill(
    container=values.CONTAINER,
    workload=workload,
    not_recovered=by_the_other(up),
    limit=LIMIT,
    not_applicable=PAIR,
)
