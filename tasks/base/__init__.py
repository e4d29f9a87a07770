"""Module 2: base OS and security, mandatory on every server before any other module (ORD-1)."""

from __future__ import annotations

from keybuzz.engine.tasks import checking, converging, planning
from keybuzz.site.module import Module
from tasks.base.check_infos import CHECK_INFOS
from tasks.base.checks import checks
from tasks.base.desired import describe
from tasks.base.parameters import PARAMETERS
from tasks.base.rollout import next_stage
from tasks.base.upkeep_over import maintenance_over

MODULE = Module(
    name="base",
    number=2,
    title="Base OS and security",
    group="all",
    requires=(),
    describe=describe,
    next_stage=next_stage,
    checks=checks,
    preflight=(
        *("base.clock.synchronised", "base.clock.source", "base.clock.median"),
        *("base.disk.space", "base.disk.inodes", "base.disk.read-only"),
        *("base.memory.available", "base.system.read"),
    ),
    maintenance_over=maintenance_over,
    check_infos=CHECK_INFOS,
    parameters=PARAMETERS,
)

check = checking(MODULE)
plan = planning(MODULE)
converge = converging(MODULE)
