"""Module 10, on request: Qdrant on one node, for applications that search by vectors."""

from __future__ import annotations

from keybuzz.engine.tasks import checking, converging, planning
from keybuzz.model.host.ground import Ground
from keybuzz.model.reports.drill import Scenario
from keybuzz.site.module import Module, RestartCost
from tasks.qdrant import values
from tasks.qdrant.check_infos import CHECK_INFOS
from tasks.qdrant.checks import checks, topology
from tasks.qdrant.desired import describe
from tasks.qdrant.drill import DRILL, workload
from tasks.qdrant.members import up, virgin
from tasks.qdrant.rollout import next_stage, refuse_foreign
from tasks.qdrant.rotation import ROTATIONS
from tasks.qdrant.service import CREDENTIALS, PLACES, SERVICE
from tasks.qdrant.upgrades import UPGRADES

GROUND = Ground(("qdrant",), (values.STORAGE,), (values.HTTP_PORT, values.GRPC_PORT))

MODULE = Module(
    name="qdrant",
    number=10,
    step=2,
    title="Qdrant, one node",
    group=values.GROUP,
    requires=("base",),
    describe=describe,
    next_stage=next_stage,
    checks=checks,
    foreign=refuse_foreign,
    on_request=True,
    members_up=up,
    least_up=0,
    ground=GROUND,
    places=PLACES,
    virgin=virgin,
    topology=topology,
    rotations=ROTATIONS,
    drills=(DRILL,),
    restart_cost=RestartCost(
        values.STOP_TIMEOUT + 10.0, "the one node stops and starts, and there is no other"
    ),
    check_infos=CHECK_INFOS,
    upgrades=UPGRADES,
    credentials=CREDENTIALS,
    services=(SERVICE,),
    probe=lambda site: workload(site, Scenario.CONTAINER_KILLED),
)

check = checking(MODULE)
plan = planning(MODULE)
converge = converging(MODULE)
