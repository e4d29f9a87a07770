"""Module 3, second step: HAProxy and PgBouncer in front of the Patroni cluster (PG-3, LB-1)."""

from __future__ import annotations

from keybuzz.engine.tasks import checking, converging, planning
from keybuzz.model.host.ground import Ground
from keybuzz.model.host.retired import retiring_last
from keybuzz.site.module import Entrance, Module, RestartCost
from keybuzz.site.settled import Settled, in_file
from tasks.postgres_proxy.check_infos import CHECK_INFOS
from tasks.postgres_proxy.checks import checks, topology
from tasks.postgres_proxy.desired import describe, login_at
from tasks.postgres_proxy.drill import DRILL, POOL_DRILL
from tasks.postgres_proxy.members import session_of, up
from tasks.postgres_proxy.parameters import PARAMETERS
from tasks.postgres_proxy.rollout import next_stage
from tasks.postgres_proxy.upgrades import UPGRADES
from tasks.postgres_proxy.values import (
    HAPROXY_CONFIGURATION,
    PGBOUNCER_CONFIGURATION,
    POOL_PORT,
    POSTGRES_PORT,
    ROOT,
    STATISTICS_PORT,
)

GROUND = Ground(
    ("haproxy", "pgbouncer"),
    (f"{ROOT}/haproxy", f"{ROOT}/pgbouncer"),
    (POSTGRES_PORT, POOL_PORT, STATISTICS_PORT),
)

SETTLED = (
    Settled(
        "haproxy.max_connections",
        in_file(f"file:{HAPROXY_CONFIGURATION}/haproxy.cfg", r"^\s*maxconn\s+(\d+)"),
    ),
    *(
        Settled(
            f"pgbouncer.{name}",
            in_file(f"file:{PGBOUNCER_CONFIGURATION}/pgbouncer.ini", rf"^\s*{name}\s*=\s*(\d+)"),
        )
        for name in ("max_client_conn", "default_pool_size", "max_db_connections")
    ),
)

MODULE = Module(
    name="postgres-proxy",
    number=3,
    step=2,
    title="Entry to PostgreSQL",
    group="haproxy",
    requires=("base",),
    needs=("patroni",),
    describe=describe,
    next_stage=retiring_last(next_stage),
    checks=checks,
    members_up=up,
    least_up=1,
    ground=GROUND,
    topology=topology,
    entrances=tuple(
        Entrance(
            port,
            login_at(port),
            lambda answer: session_of(answer).reason,
            "it leads to the primary",
        )
        for port in (POSTGRES_PORT, POOL_PORT)
    ),
    drills=(DRILL, POOL_DRILL),
    restart_cost=RestartCost(6.0, "three checks of the provider's load balancer, 2 s each"),
    settled=SETTLED,
    check_infos=CHECK_INFOS,
    upgrades=UPGRADES,
    parameters=PARAMETERS,
)

check = checking(MODULE)
plan = planning(MODULE)
converge = converging(MODULE)
