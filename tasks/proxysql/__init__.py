"""Module 8: two ProxySQL in front of Galera (GAL-3, GAL-4, PSQL-1)."""

from __future__ import annotations

from keybuzz.engine.tasks import checking, converging, planning
from keybuzz.model.host.ground import Ground
from keybuzz.model.host.retired import retiring_last
from keybuzz.site.module import Entrance, Module, RestartCost
from tasks.proxysql import applications, values
from tasks.proxysql.check_infos import CHECK_INFOS
from tasks.proxysql.checks import checks, topology
from tasks.proxysql.desired import describe, login
from tasks.proxysql.drill import DRILL
from tasks.proxysql.leading import SWITCHOVER, lead_as_described, lead_away, lead_back
from tasks.proxysql.members import login_problem, up, virgin
from tasks.proxysql.parameters import PARAMETERS, require_room
from tasks.proxysql.rollout import next_stage, refuse_foreign
from tasks.proxysql.rotation import ROTATIONS
from tasks.proxysql.service import CREDENTIALS, PLACES
from tasks.proxysql.upgrades import UPGRADES
from tasks.proxysql.values import PORT

GROUND = Ground(
    ("proxysql",),
    (f"{values.ROOT}/data",),
    (values.PORT, values.ADMIN_PORT),
    ("/var/lib/proxysql",),
)

MODULE = Module(
    name="proxysql",
    number=8,
    title="Entry to MariaDB",
    group="proxysql",
    requires=("base",),
    describe=describe,
    next_stage=retiring_last(next_stage),
    checks=checks,
    require=require_room,
    frozen_as="galera",
    fronts="galera",
    lead_away=lead_away,
    lead_back=lead_back,
    lead_as_described=lead_as_described,
    members_up=up,
    least_up=1,
    ground=GROUND,
    places=PLACES,
    foreign=refuse_foreign,
    virgin=virgin,
    switchover=SWITCHOVER,
    topology=topology,
    rotations=ROTATIONS,
    inside=applications.INSIDE,
    entrances=(
        Entrance(
            PORT,
            lambda site, address: login(site, f"login at {address}", address),
            login_problem,
            "the application reaches the writer",
        ),
    ),
    drills=(DRILL,),
    restart_cost=RestartCost(6.0, "three checks of the provider's load balancer, 2 s each"),
    check_infos=CHECK_INFOS,
    upgrades=UPGRADES,
    credentials=CREDENTIALS,
    parameters=PARAMETERS,
    delivered=("monitor", "proxysql"),
)

check = checking(MODULE)
plan = planning(MODULE)
converge = converging(MODULE)
