"""Module 10: backups on backup-01, PostgreSQL's by Barman, with recovery to a point in time."""

from __future__ import annotations

from keybuzz.engine.tasks import checking, converging, planning
from keybuzz.site.module import Module
from tasks.backup import values
from tasks.backup.check_infos import CHECK_INFOS
from tasks.backup.checks import checks
from tasks.backup.desired import describe
from tasks.backup.parameters import PARAMETERS
from tasks.backup.postgres.archive import POSTGRES
from tasks.backup.rollout import next_stage
from tasks.backup.service import CREDENTIALS
from tasks.backup.store.services import STORED

MODULE = Module(
    name="backup",
    number=10,
    title="Backups",
    group=values.GROUP,
    requires=("base",),
    needs=("postgres-proxy",),
    reaches=("patroni",),
    describe=describe,
    next_stage=next_stage,
    checks=checks,
    check_infos=CHECK_INFOS,
    credentials=CREDENTIALS,
    parameters=PARAMETERS,
    archives=(POSTGRES, *STORED),
    lab_packages=values.LAB_PACKAGES,
)

check = checking(MODULE)
plan = planning(MODULE)
converge = converging(MODULE)
