"""How Galera is drilled: rows through the official endpoint, 10.0.0.20:3306."""

from __future__ import annotations

from keybuzz.model.core.live import Live
from keybuzz.model.core.secret import Secret
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.drill import Isolated, Scenario, Workload
from keybuzz.site.drill import Drill
from keybuzz.site.site import Site
from tasks.galera.members import nodes
from tasks.galera.service import MYSQL
from tasks.galera.values import CONTAINER

ENDPOINT = "10.0.0.20"
PORT = 3306
LIMIT = 120.0
"""Seconds (facts/operations: poll to 120 s)."""

_TRY = (
    "IFS= read -r user; IFS= read -r database; IFS= read -r MYSQL_PWD; export MYSQL_PWD; "
    'exec mysql --no-defaults -h 127.0.0.1 -P 3306 -N -s -u "$user" "$database"'
)
# The client stops at the first error, and the server puts the mark together, so an error cannot hold it.
_WRITE = "insert into kbz_drill values (-1); select concat('kbz', '-accepted');\n"


def workload(site: Site, scenario: Scenario) -> Workload:
    """Return the application's writes: a commit is in the other members before it is acknowledged."""
    del scenario
    return Workload(
        MYSQL,
        ENDPOINT,
        PORT,
        site.secret("MARIADB_APP_USER").reveal(),
        site.secret("MARIADB_APP_PASSWORD"),
        site.secret("MARIADB_DB").reveal(),
    )


def not_recovered(live: Live, scenario: Scenario, victim: str) -> str | None:
    """Return why the others do not serve as the cluster's majority, or None when they do."""
    del scenario
    serving = [host for host, node in nodes(live).items() if node.synced and host != victim]
    if 2 * len(serving) > len(live.members):
        return None
    return f"{len(serving)} of {len(live.members)} members are Synced in Primary beside {victim}"


def isolated(site: Site, server: Server) -> Isolated:
    """Return how to try an insert on a member that cannot be reached; all of the login goes in by stdin."""
    del server
    names = ("MARIADB_APP_USER", "MARIADB_DB", "MARIADB_APP_PASSWORD")
    words = (site.secret(name).reveal() for name in names)
    return Isolated(
        ("docker", "exec", "-i", CONTAINER, "sh", "-c", _TRY),
        Secret("isolated write", "\n".join((*words, _WRITE))),
        "kbz-accepted",
    )


DRILL = Drill(
    container=CONTAINER,
    workload=workload,
    not_recovered=not_recovered,
    limit=LIMIT,
    isolated=isolated,
    not_applicable={Scenario.SWITCHOVER: "there is no leader: every member takes writes"},
)
