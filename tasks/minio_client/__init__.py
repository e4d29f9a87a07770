"""Module 6, second step: mc on the controller, with its one alias to MinIO (MIN-5)."""

from __future__ import annotations

from keybuzz.engine.tasks import checking, converging, planning
from keybuzz.site.module import Module
from tasks.minio_client import values
from tasks.minio_client.check_infos import CHECK_INFOS
from tasks.minio_client.checks import checks
from tasks.minio_client.desired import describe
from tasks.minio_client.parameters import PARAMETERS
from tasks.minio_client.rollout import next_stage

MODULE = Module(
    name="minio-client",
    number=6,
    step=2,
    title="mc and its alias to MinIO",
    group=values.GROUP,
    requires=("base",),
    needs=("minio",),
    describe=describe,
    next_stage=next_stage,
    checks=checks,
    check_infos=CHECK_INFOS,
    parameters=PARAMETERS,
)

check = checking(MODULE)
plan = planning(MODULE)
converge = converging(MODULE)
