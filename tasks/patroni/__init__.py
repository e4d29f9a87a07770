"""Module 3: PostgreSQL 16 under Patroni with RAFT on three nodes (PG-1, PG-2, PG-4)."""

from __future__ import annotations

from keybuzz.engine.tasks import checking, converging, judging, planning
from keybuzz.model.host.ground import Ground
from keybuzz.model.host.retired import retiring_last
from keybuzz.model.reports.drill import Scenario
from keybuzz.site.module import Module, RestartCost
from keybuzz.site.settled import Settled, in_attribute, in_file
from tasks.patroni import applications, values
from tasks.patroni.check_infos import CHECK_INFOS
from tasks.patroni.checks import checks, topology
from tasks.patroni.desired import describe
from tasks.patroni.drill import DRILL, workload
from tasks.patroni.images import UPGRADES, build
from tasks.patroni.lead import SWITCHOVER
from tasks.patroni.members import able, leader, up, virgin
from tasks.patroni.parameters import PARAMETERS
from tasks.patroni.rollout import next_stage, refuse_known_foreign, release
from tasks.patroni.rotation import ROTATIONS, account_rotations
from tasks.patroni.service import CREDENTIALS, PLACES, SERVICE

GROUND = Ground(
    ("postgresql",), (f"{values.ROOT}/postgres",), (5432, 8008, 7000), ("/var/lib/postgresql",)
)

SETTLED = (
    *(
        Settled(
            f"patroni.{name}",
            in_attribute("patroni-settings:dynamic", f"postgresql.parameters.{name}"),
        )
        for name in ("max_connections", "wal_keep_size")
    ),
    *(
        Settled(
            f"patroni.{name}",
            # Of the section that counts after birth: bootstrap.dcs may have another value.
            in_file(
                f"file:{values.CONFIGURATION}/patroni.yml",
                rf"^postgresql:.*\n(?:(?:[ \t#].*)?\n)*?[ \t]+{name}:[ \t]*['\"]?([^\s'\"#]+)",
            ),
        )
        for name in values.SIZES
    ),
)

MODULE = Module(
    name="patroni",
    number=3,
    title="PostgreSQL HA",
    group="patroni",
    requires=("base",),
    describe=describe,
    next_stage=retiring_last(next_stage),
    checks=checks,
    members_up=up,
    able=able,
    ground=GROUND,
    places=PLACES,
    foreign=refuse_known_foreign,
    virgin=virgin,
    writer=leader,
    release=release,
    switchover=SWITCHOVER,
    topology=topology,
    images=lambda site: (build(site),),
    rotations=ROTATIONS,
    account_rotations=account_rotations,
    inside=applications.INSIDE,
    drills=(DRILL,),
    probe=lambda site: workload(site, Scenario.CONTAINER_STOPPED),
    restart_cost=RestartCost(
        values.LOOP_WAIT + 4.0,
        "a switchover within loop_wait, and two checks of HAProxy",
        once=True,
    ),
    settled=SETTLED,
    check_infos=CHECK_INFOS,
    upgrades=UPGRADES,
    credentials=CREDENTIALS,
    services=(SERVICE,),
    parameters=PARAMETERS,
    delivered=("postgres",),
)

check = checking(MODULE)
plan = planning(MODULE)
converge = converging(MODULE)
peers = judging(MODULE, "patroni.leader.single", "patroni.member.state", "patroni.timeline.same")
