"""Module 5, second step: HAProxy in front of RabbitMQ (RMQ-2, LB-1)."""

from __future__ import annotations

from keybuzz.engine.tasks import checking, converging, planning
from keybuzz.model.host.ground import Ground
from keybuzz.model.host.retired import retiring_last
from keybuzz.site.module import Entrance, Module, RestartCost
from tasks.rabbitmq_proxy.check_infos import CHECK_INFOS
from tasks.rabbitmq_proxy.checks import checks, topology
from tasks.rabbitmq_proxy.desired import describe, login_at
from tasks.rabbitmq_proxy.drill import DRILL
from tasks.rabbitmq_proxy.members import refusal, up, virgin
from tasks.rabbitmq_proxy.parameters import PARAMETERS
from tasks.rabbitmq_proxy.rollout import next_stage
from tasks.rabbitmq_proxy.values import PORT, ROOT

GROUND = Ground(("haproxy",), (ROOT,), (PORT,))

MODULE = Module(
    name="rabbitmq-proxy",
    number=5,
    step=2,
    title="Entry to RabbitMQ",
    group="haproxy",
    requires=("base",),
    needs=("rabbitmq",),
    describe=describe,
    next_stage=retiring_last(next_stage),
    checks=checks,
    frozen_as="rabbitmq",
    members_up=up,
    least_up=1,
    ground=GROUND,
    virgin=virgin,
    topology=topology,
    entrances=(Entrance(PORT, login_at, refusal, "the application gets in by AMQP"),),
    drills=(DRILL,),
    restart_cost=RestartCost(6.0, "three checks of the provider's load balancer, 2 s each"),
    check_infos=CHECK_INFOS,
    parameters=PARAMETERS,
)

check = checking(MODULE)
plan = planning(MODULE)
converge = converging(MODULE)
