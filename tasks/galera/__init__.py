"""Module 7: MariaDB Galera on three nodes (GAL-1, GAL-2, GAL-4)."""

from __future__ import annotations

from keybuzz.engine.tasks import checking, converging, planning, stepping
from keybuzz.model.host.ground import Ground
from keybuzz.model.host.retired import retiring_last
from keybuzz.model.reports.drill import Scenario
from keybuzz.site.module import Module, Recovery, RestartCost
from keybuzz.site.settled import Settled, in_file
from tasks.galera import applications, values
from tasks.galera.check_infos import CHECK_INFOS
from tasks.galera.checks import LIKENESS, checks, topology
from tasks.galera.desired import describe
from tasks.galera.drill import DRILL, workload
from tasks.galera.members import able, up, virgin, writer
from tasks.galera.parameters import PARAMETERS
from tasks.galera.recover import recovery
from tasks.galera.rollout import next_stage, refuse_foreign
from tasks.galera.rotation import ROTATIONS, account_rotations
from tasks.galera.service import CREDENTIALS, PLACES, SERVICE
from tasks.galera.upgrades import UPGRADES
from tasks.galera.values import cluster_name

GROUND = Ground(
    ("mariadb",),
    (values.DATA,),
    # The server, the replication, and a whole copy of a node (IST, SST).
    (3306, 4567, 4568, 4444),
    (values.VOLUME, "/var/lib/mysql"),
)

SETTLED = tuple(
    Settled(parameter, in_file(f"file:{values.MY_CNF}", pattern))
    for parameter, pattern in (
        ("galera.max_connections", r"^\s*max[_-]connections\s*=\s*(\d+)"),
        ("galera.buffer_pool_size", r"^\s*innodb[_-]buffer[_-]pool[_-]size\s*=\s*(\S+)"),
        ("galera.log_file_size", r"^\s*innodb[_-]log[_-]file[_-]size\s*=\s*(\S+)"),
        (
            "galera.gcache_size",
            r"^\s*wsrep[_-]provider[_-]options\s*=.*\bgcache\.size\s*=\s*([^\s;\"]+)",
        ),
    )
)

MODULE = Module(
    name="galera",
    number=7,
    title="MariaDB Galera",
    group="galera",
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
    topology=topology,
    rotations=ROTATIONS,
    account_rotations=account_rotations,
    inside=applications.INSIDE,
    drills=(DRILL,),
    recovery=Recovery(
        cluster_name,
        recovery.halt,
        recovery.question,
        recovery.position,
        recovery.choose,
        recovery.start,
        recovery.forget,
        recovery.askable,
        recovery.startable,
    ),
    likeness=LIKENESS,
    probe=lambda site: workload(site, Scenario.CONTAINER_STOPPED),
    restart_cost=RestartCost(
        10.0, "ProxySQL's monitor sees within three rounds that the writer has gone", once=True
    ),
    settled=SETTLED,
    check_infos=CHECK_INFOS,
    upgrades=UPGRADES,
    credentials=CREDENTIALS,
    services=(SERVICE,),
    parameters=PARAMETERS,
    delivered=("mysql",),
)

check = checking(MODULE)
plan = planning(MODULE)
converge = converging(MODULE)
bootstrap = stepping(MODULE, "mark the first start", "bootstrap")
