"""Module 4: Redis with Sentinel on three nodes (RED-1, RED-4, RED-5)."""

from __future__ import annotations

from keybuzz.engine.tasks import checking, converging, judging, planning
from keybuzz.model.host.ground import Ground
from keybuzz.model.host.retired import retiring_last
from keybuzz.model.reports.drill import Scenario
from keybuzz.site.module import Module, RestartCost
from keybuzz.site.settled import Settled, in_attribute
from tasks.redis import values
from tasks.redis.check_infos import CHECK_INFOS
from tasks.redis.checks import checks, topology
from tasks.redis.desired import describe
from tasks.redis.drill import DRILL, workload
from tasks.redis.master.lead import SWITCHOVER
from tasks.redis.members import able, min_replicas, up, virgin
from tasks.redis.parameters import PARAMETERS
from tasks.redis.rollout import next_stage, refuse_foreign, release
from tasks.redis.rotation import ROTATIONS
from tasks.redis.service import CREDENTIALS, PLACES, SERVICE
from tasks.redis.upgrades import UPGRADES

GROUND = Ground(
    ("redis", "sentinel"), (values.ROOT,), (6379, 26379), ("/var/lib/redis", "/etc/redis")
)

_LIVE = "redis-settings:live"
SETTLED = (
    Settled("redis.maxmemory", in_attribute(_LIVE, "maxmemory", values.size_of)),
    Settled("redis.min_replicas_to_write", min_replicas),
)

MODULE = Module(
    name="redis",
    number=4,
    title="Redis with Sentinel",
    group="redis",
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
    release=release,
    switchover=SWITCHOVER,
    topology=topology,
    rotations=ROTATIONS,
    drills=(DRILL,),
    probe=lambda site: workload(site, Scenario.CONTAINER_STOPPED),
    restart_cost=RestartCost(
        20.0, "replicas catch up within 5 s, and Sentinel promotes one within 15 s", once=True
    ),
    settled=SETTLED,
    check_infos=CHECK_INFOS,
    upgrades=UPGRADES,
    credentials=CREDENTIALS,
    delivered=("redis",),
    services=(SERVICE,),
    parameters=PARAMETERS,
)

check = checking(MODULE)
plan = planning(MODULE)
converge = converging(MODULE)
quorum = judging(MODULE, "redis.sentinel.quorum", "redis.sentinel.agree")
