"""How K3s is drilled: requests to the ingress through the public load balancer, while one node is broken."""

from __future__ import annotations

from keybuzz.model.core.live import Live
from keybuzz.model.core.secret import Secret
from keybuzz.model.reports.drill import Scenario, Workload
from keybuzz.site.drill import Drill
from keybuzz.site.site import Site
from tasks.k3s import values
from tasks.k3s.members import masters, nodes, up
from tasks.k3s.service import HTTP

ENDPOINT = "10.0.0.5"
PORT = 80
LIMIT = 120.0
"""Seconds: a node counts as lost after its grace time (facts/operations: 60 s for a master, 90 s for a worker)."""


def workload(site: Site, scenario: Scenario) -> Workload:
    """Return a visitor's requests; they need no login, and leave nothing that could be lost."""
    del site, scenario
    return Workload(HTTP, ENDPOINT, PORT, "", Secret("no login", ""))


def not_recovered(live: Live, scenario: Scenario, victim: str) -> str | None:
    """Return why the cluster does not go on without the victim, or None when it does.

    The API is ready on the other masters, the others are Ready, and that a stopped node is lost must have been seen.
    """
    known, servers = nodes(live), masters(live)
    needed = len(servers) // 2 + 1
    serving = up(live) - {victim}
    if len(serving) < min(needed, len(servers) - (victim in servers)):
        return f"the API is ready on {len(serving)} masters besides {victim}, and {needed} must be"
    away = sorted(name for name, node in known.items() if name != victim and not node.ready)
    if away:
        return f"{', '.join(away)} is not Ready either"
    if scenario is not Scenario.CONTAINER_KILLED and victim in known and known[victim].ready:
        return f"the cluster has not noticed yet that {victim} is gone"
    return None


DRILL = Drill(
    container="k3s",
    unit=values.unit,
    workload=workload,
    not_recovered=not_recovered,
    limit=LIMIT,
    not_applicable={Scenario.SWITCHOVER: "etcd elects its leader among the masters by itself"},
)
