"""Module 6: MinIO, distributed over exactly three nodes (MIN-1 to MIN-6)."""

from __future__ import annotations

from keybuzz.engine.tasks import checking, converging, planning
from keybuzz.model.host.ground import Ground
from keybuzz.model.host.retired import retiring_last
from keybuzz.model.reports.drill import Scenario
from keybuzz.site.module import Module, RestartCost
from tasks.minio import applications, values
from tasks.minio.check_infos import CHECK_INFOS
from tasks.minio.checks import checks, topology
from tasks.minio.desired import describe
from tasks.minio.drill import DRILL, workload
from tasks.minio.identity import refuse_foreign
from tasks.minio.members import able, up, virgin, writer
from tasks.minio.parameters import PARAMETERS
from tasks.minio.rollout import next_stage, release
from tasks.minio.rotation import ROTATIONS, account_rotations
from tasks.minio.service import CREDENTIALS, PLACES, SERVICE
from tasks.minio.service.resources import PORT
from tasks.minio.upgrades import UPGRADES

GROUND = Ground(
    ("minio",),
    (values.DATA,),
    (PORT, values.CONSOLE_PORT),
    ("/data", "/mnt/data", "/var/lib/minio"),
)

MODULE = Module(
    name="minio",
    number=6,
    title="MinIO, distributed",
    group="minio",
    requires=("base",),
    describe=describe,
    next_stage=retiring_last(next_stage),
    checks=checks,
    members_up=up,
    able=able,
    ground=GROUND,
    places=PLACES,
    foreign=refuse_foreign,
    virgin=virgin,
    writer=writer,
    release=release,
    topology=topology,
    inside=applications.INSIDE,
    rotations=ROTATIONS,
    account_rotations=account_rotations,
    drills=(DRILL,),
    restart_cost=RestartCost(
        values.STOP_TIMEOUT + 10.0,
        "the entry stops and starts, and there is no other (MIN-5)",
        once=True,
    ),
    check_infos=CHECK_INFOS,
    upgrades=UPGRADES,
    credentials=CREDENTIALS,
    delivered=("minioadmin",),
    services=(SERVICE,),
    parameters=PARAMETERS,
    probe=lambda site: workload(site, Scenario.CONTAINER_STOPPED),
)

check = checking(MODULE)
plan = planning(MODULE)
converge = converging(MODULE)
