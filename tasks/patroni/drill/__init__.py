"""How the Patroni cluster is drilled: rows through the official endpoint, 10.0.0.10:5432."""

from __future__ import annotations

from keybuzz.model.core.live import Live
from keybuzz.model.core.secret import Secret
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.drill import Isolated, Scenario, Workload
from keybuzz.site.drill import Drill
from keybuzz.site.site import Site
from tasks.patroni.members import leader
from tasks.patroni.service import POSTGRESQL
from tasks.patroni.values import CONTAINER, MAXIMUM_LAG, TTL

ENDPOINT = "10.0.0.10"
PORT = 5432
LIMIT = 60.0 + 2 * TTL
"""Seconds: ttl until the lock is free, an election, and a proxy that sees it (facts/operations: poll to 120 s)."""

_KEPT = (Scenario.SWITCHOVER, Scenario.CONTAINER_STOPPED)
"""Patroni waits until a replica has everything before the old leader's lock is free."""
_LAG = (
    "replication is asynchronous, and a replica that is up to "
    f"{MAXIMUM_LAG} bytes behind may be promoted (maximum_lag_on_failover)"
)
_TRY = (
    "read -r user; read -r database; "
    'exec psql -h /var/run/postgresql -X -q -A -t -v ON_ERROR_STOP=1 -U "$user" -d "$database"'
)
# The mark is put together by the server, so that an error that repeats the statement does not hold it.
_WRITE = "insert into kbz_drill values (-1) returning 'kbz' || '-accepted';\n"


def workload(site: Site, scenario: Scenario) -> Workload:
    """Return the application's writes through the load balancer."""
    return Workload(
        POSTGRESQL,
        ENDPOINT,
        PORT,
        site.secret("POSTGRES_APP_USER").reveal(),
        site.secret("POSTGRES_APP_PASS"),
        site.secret("POSTGRES_DB").reveal(),
        promised=scenario in _KEPT,
        expectation=_LAG,
    )


def not_recovered(live: Live, scenario: Scenario, victim: str) -> str | None:
    """Return why no member leads as it must be; after a crash Docker is quick, and the same member may go on."""
    now = leader(live)
    if now is None:
        return "no member leads"
    if scenario is not Scenario.CONTAINER_KILLED and now == victim:
        return f"{victim} still leads"
    return None


def isolated(site: Site, server: Server) -> Isolated:
    """Return how to try an insert on a member that cannot be reached; names go in by stdin, like all of credentials."""
    del server
    names = (site.secret(name).reveal() for name in ("POSTGRES_APP_USER", "POSTGRES_DB"))
    return Isolated(
        ("docker", "exec", "-i", CONTAINER, "sh", "-c", _TRY),
        Secret("isolated write", "\n".join((*names, _WRITE))),
        "kbz-accepted",
    )


DRILL = Drill(
    container=CONTAINER,
    workload=workload,
    not_recovered=not_recovered,
    leader=leader,
    limit=LIMIT,
    isolated=isolated,
)
