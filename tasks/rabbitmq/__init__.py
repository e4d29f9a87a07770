"""Module 5: RabbitMQ with quorum queues on three nodes (RMQ-1, RMQ-3)."""

from __future__ import annotations

from keybuzz.engine.tasks import checking, converging, planning
from keybuzz.model.host.ground import Ground
from keybuzz.model.host.retired import retiring_last
from keybuzz.model.reports.drill import Scenario
from keybuzz.site.module import Module, RestartCost
from keybuzz.site.settled import Settled, in_file
from tasks.rabbitmq import applications, values
from tasks.rabbitmq.check_infos import CHECK_INFOS
from tasks.rabbitmq.checks import checks, topology
from tasks.rabbitmq.desired import describe
from tasks.rabbitmq.drill import DRILL, workload
from tasks.rabbitmq.members import able, up, virgin, writer
from tasks.rabbitmq.parameters import PARAMETERS
from tasks.rabbitmq.readiness import READINESS
from tasks.rabbitmq.rollout import next_stage, refuse_foreign, release
from tasks.rabbitmq.rotation import ROTATIONS, account_rotations
from tasks.rabbitmq.service import CREDENTIALS, PLACES, SERVICE
from tasks.rabbitmq.upgrades import UPGRADES

GROUND = Ground(
    ("rabbitmq",),
    (values.ROOT,),
    (values.AMQP_PORT, 15672, 25672, 4369),
    ("/var/lib/rabbitmq",),
    # That of metrics: the image's own list of plugins, which older installations left in place, opens it.
    (15692,),
)

SETTLED = (
    Settled(
        "rabbitmq.partition_handling",
        in_file(
            f"file:{values.CONFIGURATION}/rabbitmq.conf",
            r"^\s*cluster_partition_handling\s*=\s*(\S+)",
        ),
    ),
)

MODULE = Module(
    name="rabbitmq",
    number=5,
    title="RabbitMQ with quorum queues",
    group="rabbitmq",
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
    rotations=ROTATIONS,
    account_rotations=account_rotations,
    inside=applications.INSIDE,
    drills=(DRILL,),
    probe=lambda site: workload(site, Scenario.CONTAINER_STOPPED),
    restart_cost=RestartCost(4.0, "two checks of HAProxy, 2 s each; then clients connect again"),
    settled=SETTLED,
    check_infos=CHECK_INFOS,
    upgrades=UPGRADES,
    readiness=READINESS,
    credentials=CREDENTIALS,
    delivered=("rabbitmq",),
    services=(SERVICE,),
    parameters=PARAMETERS,
)

check = checking(MODULE)
plan = planning(MODULE)
converge = converging(MODULE)
