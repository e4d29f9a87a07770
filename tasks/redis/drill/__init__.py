"""How Redis is drilled: members of a set through the official endpoint, 10.0.0.10:6379."""

from __future__ import annotations

from keybuzz.model.core.live import Live
from keybuzz.model.core.secret import Secret
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.drill import Isolated, Scenario, Workload
from keybuzz.site.drill import Drill
from keybuzz.site.site import Site
from tasks.redis import values
from tasks.redis.members import masters
from tasks.redis.parameters import MIN_REPLICAS
from tasks.redis.service import REDIS

ENDPOINT = "10.0.0.10"
PORT = 6379
LIMIT = 120.0
"""Seconds (facts/operations: poll to 120 s)."""

_LOST = {
    0: "Redis acknowledges before its replicas have the write, so a failover may lose the newest ones",
    1: "Redis acknowledges before its replicas have the write: a failover may lose the newest ones, of the last 10 s "
    "at most where it was cut off",
}
"""What a failover may lose, without and with replicas that must follow (`redis.min_replicas_to_write`)."""
_SPLIT = {
    0: "redis.min_replicas_to_write is 0 (the owner's decision), so a cut-off master accepts writes until it hears of "
    "the new one; they are gone when it follows again",
    1: "a cut-off master accepts writes until its replicas have been silent for 10 s (min-replicas-max-lag); they are "
    "gone when it follows again",
}
_TRY = (
    "read -r REDISCLI_AUTH; export REDISCLI_AUTH; "
    'exec redis-cli -h "$1" -p 6379 SET kbz_drill_isolated 1 EX 60'
)


def workload(site: Site, scenario: Scenario) -> Workload:
    """Return an application's writes through the load balancer."""
    del scenario
    least = MIN_REPLICAS.of(site)
    return Workload(
        REDIS,
        ENDPOINT,
        PORT,
        "",
        values.password(site),
        promised=False,
        expectation=_LOST[min(1, least)],
        setting=f"min-replicas-to-write {least}",
    )


def leader(live: Live) -> str | None:
    """Return the master when exactly one Redis says that it is."""
    found = masters(live)
    return found[0] if len(found) == 1 else None


def not_recovered(live: Live, scenario: Scenario, victim: str) -> str | None:
    """Return why there is no master as it must be; after a crash Docker is quick, and the same one may go on."""
    now = leader(live)
    if now is None:
        return f"{len(masters(live))} masters"
    if scenario is not Scenario.CONTAINER_KILLED and now == victim:
        return f"{victim} is still the master"
    return None


def isolated(site: Site, server: Server) -> Isolated:
    """Return how to try a write on a master that cannot be reached."""
    password = values.password(site)
    return Isolated(
        ("docker", "exec", "-i", values.REDIS, "sh", "-c", _TRY, "sh", str(server.address)),
        Secret(password.name, f"{password.reveal()}\n"),
        "OK",
        promised=False,
        expectation=_SPLIT[min(1, MIN_REPLICAS.of(site))],
    )


DRILL = Drill(
    container=values.REDIS,
    workload=workload,
    not_recovered=not_recovered,
    leader=leader,
    limit=LIMIT,
    isolated=isolated,
)
