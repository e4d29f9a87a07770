"""How MinIO is drilled: objects through the official entry, 10.0.0.134:9000."""

from __future__ import annotations

from pathlib import Path

from keybuzz.model.core.live import Live
from keybuzz.model.core.secret import Secret
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.drill import Isolated, Scenario, Workload
from keybuzz.site.drill import Drill
from keybuzz.site.site import Site
from tasks.minio import values
from tasks.minio.members import nodes
from tasks.minio.service import S3
from tasks.minio.service.resources import PORT

LIMIT = 120.0
"""Seconds (facts/operations: poll to 120 s)."""
TRY = (Path(__file__).parents[1] / "templates" / "try_put.py").read_text(encoding="utf-8")
"""Arguments: host:port and path; its standard input: user and password, a line each."""


def workload(site: Site, scenario: Scenario) -> Workload:
    """Return an application's puts; an acknowledged one is on two drives of three."""
    del scenario
    entrance = values.entry(site)
    reached = values.access(site, entrance)
    return Workload(S3, reached.address, PORT, reached.user, reached.password, values.bucket(site))


def not_recovered(live: Live, scenario: Scenario, victim: str) -> str | None:
    """Return why the others have no write quorum, or None when they have."""
    del scenario
    others = [host for host, node in nodes(live).items() if node.serves and host != victim]
    if len(others) >= values.QUORUM:
        return None
    return f"{len(others)} nodes beside {victim} have the write quorum, and {values.QUORUM} must"


def unfit(site: Site, scenario: Scenario, victim: str) -> str:
    """Spare the entry where it would stay away: then no client can write, though the cluster lives (A10)."""
    if victim != values.entry(site).name or scenario is Scenario.CONTAINER_KILLED:
        return ""
    return f"{victim} is the only entry (MIN-5): while it is away no client can write, though the others have quorum"


def isolated(site: Site, server: Server) -> Isolated:
    """Return how to try a put on a node that cannot be reached; the login goes in by stdin."""
    reached = values.access(site, server)
    login = f"{reached.user}\n{reached.password.reveal()}\n"
    return Isolated(
        (
            "python3",
            "-c",
            TRY,
            values.node_of(server),
            f"/{values.DRILL_BUCKET}/-1",
        ),
        Secret(reached.password.name, login),
        "kbz-accepted",
    )


DRILL = Drill(
    container=values.CONTAINER,
    workload=workload,
    not_recovered=not_recovered,
    limit=LIMIT,
    isolated=isolated,
    unfit=unfit,
    not_applicable={Scenario.SWITCHOVER: "there is no leader: every node takes writes"},
)
