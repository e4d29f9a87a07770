"""Module 4, second step: HAProxy and the Sentinel watcher in front of Redis (RED-2, RED-3, LB-1)."""

from __future__ import annotations

from keybuzz.engine.tasks import checking, converging, planning
from keybuzz.model.host.ground import Ground
from keybuzz.model.host.retired import retiring_last
from keybuzz.site.module import Entrance, Module, RestartCost
from keybuzz.site.settled import Settled, in_file
from tasks.redis_proxy.check_infos import CHECK_INFOS
from tasks.redis_proxy.checks import checks, topology
from tasks.redis_proxy.desired import describe, role_at
from tasks.redis_proxy.drill import DRILL
from tasks.redis_proxy.members import up, virgin, wrong
from tasks.redis_proxy.parameters import PARAMETERS
from tasks.redis_proxy.rollout import next_stage
from tasks.redis_proxy.values import CONFIGURATION, REDIS_PORT, ROOT

GROUND = Ground(("haproxy",), (ROOT,), (REDIS_PORT,))

SETTLED = (
    Settled(
        "redis_proxy.max_connections",
        in_file(f"file:{CONFIGURATION}/haproxy.cfg", r"^\s*maxconn\s+(\d+)"),
    ),
)

MODULE = Module(
    name="redis-proxy",
    number=4,
    step=2,
    title="Entry to Redis",
    group="haproxy",
    requires=("base",),
    needs=("redis",),
    describe=describe,
    next_stage=retiring_last(next_stage),
    checks=checks,
    frozen_as="redis",
    members_up=up,
    least_up=1,
    ground=GROUND,
    virgin=virgin,
    topology=topology,
    entrances=(Entrance(REDIS_PORT, role_at, wrong, "the master answers"),),
    drills=(DRILL,),
    restart_cost=RestartCost(6.0, "three checks of the provider's load balancer, 2 s each"),
    settled=SETTLED,
    check_infos=CHECK_INFOS,
    parameters=PARAMETERS,
)

check = checking(MODULE)
plan = planning(MODULE)
converge = converging(MODULE)
