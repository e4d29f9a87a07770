"""Module 9: K3s with three masters, five workers and the ingress (K3S-1, K3S-2)."""

from __future__ import annotations

from keybuzz.engine.tasks import checking, converging, planning
from keybuzz.model.host.ground import Ground
from keybuzz.site.module import Entrance, Module, RestartCost
from tasks.k3s import values
from tasks.k3s.check_infos import CHECK_INFOS
from tasks.k3s.checks import checks, topology
from tasks.k3s.desired import describe
from tasks.k3s.drill import DRILL
from tasks.k3s.members import up, virgin, voters, writer
from tasks.k3s.parameters import PARAMETERS
from tasks.k3s.ready import WEB, refused, website_at
from tasks.k3s.rollout import next_stage
from tasks.k3s.rotation import ROTATIONS
from tasks.k3s.service import CREDENTIALS, PLACES
from tasks.k3s.turns import regain, release

GROUND = Ground(
    ("k3s",),
    ("/var/lib/rancher/k3s",),
    values.PORTS,
    ("/var/lib/rancher", "/var/lib/kubelet", "/var/lib/etcd"),
    datagrams=(values.VXLAN_PORT,),
)

MODULE = Module(
    name="k3s",
    number=9,
    title="K3s",
    group="k3s",
    requires=("base",),
    comes_last=True,
    describe=describe,
    next_stage=next_stage,
    checks=checks,
    members_up=up,
    voters=voters,
    ground=GROUND,
    places=PLACES,
    virgin=virgin,
    writer=writer,
    release=release,
    regain=regain,
    topology=topology,
    rotations=ROTATIONS,
    entrances=(Entrance(WEB, website_at, refused, "the ingress answers /healthz"),),
    drills=(DRILL,),
    restart_cost=RestartCost(
        6.0, "three checks of the load balancer of the API; pods are moved before"
    ),
    check_infos=CHECK_INFOS,
    credentials=CREDENTIALS,
    parameters=PARAMETERS,
)

check = checking(MODULE)
plan = planning(MODULE)
converge = converging(MODULE)
