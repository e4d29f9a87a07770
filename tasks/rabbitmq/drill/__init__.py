"""How RabbitMQ is drilled: confirmed messages through the official endpoint, 10.0.0.10:5672."""

from __future__ import annotations

from keybuzz.model.core.live import Live
from keybuzz.model.core.secret import Secret
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.drill import Isolated, Scenario, Workload
from keybuzz.site.drill import Drill
from keybuzz.site.site import Site
from tasks.rabbitmq import parameters, values
from tasks.rabbitmq.members import nodes
from tasks.rabbitmq.service import AMQP
from tasks.rabbitmq.service.resources import MANAGEMENT_PORT

ENDPOINT = "10.0.0.10"
LIMIT = 120.0
"""Seconds (facts/operations: poll to 120 s)."""

# The management API publishes with a confirm, and answers when it is there. On the host itself, where Python is: the
# image has no client. The mark is put together here, so that no error which repeats the program holds it.
_TRY = """
import base64, json, sys, urllib.request
user, password = sys.stdin.read().splitlines()
login = base64.b64encode(f"{user}:{password}".encode()).decode()
body = {"properties": {"delivery_mode": 2}, "routing_key": "kbz_drill", "payload": "-1", "payload_encoding": "string"}
request = urllib.request.Request(
    sys.argv[1],
    json.dumps(body).encode(),
    {"Authorization": f"Basic {login}", "Content-Type": "application/json"},
)
try:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
        print("kbz" + "-confirmed" if json.load(answer)["routed"] else "no such queue")
except OSError as error:
    print(error)
"""


def workload(site: Site, scenario: Scenario) -> Workload:
    """Return an application's messages to a quorum queue; a confirmed one is on a majority of the nodes."""
    del scenario
    return Workload(
        AMQP,
        ENDPOINT,
        values.AMQP_PORT,
        site.secret("RABBITMQ_USER").reveal(),
        site.secret("RABBITMQ_PASSWORD"),
        "/",
    )


def not_recovered(live: Live, scenario: Scenario, victim: str) -> str | None:
    """Return why the other nodes are no majority that runs together, or None when they are.

    After a cut they must have gone on without the victim: before that there is no partition, and nothing is shown.
    """
    needed = len(live.members) // 2 + 1
    others = [node for node in nodes(live).values() if node.host != victim and node.well]
    names = {node.name for node in others}
    together = [node for node in others if len(names & node.running) >= needed]
    if len(together) < needed:
        return f"{len(together)} nodes besides {victim} run together, and {needed} must"
    lost = next(values.node_name(server) for server in live.members if server.name == victim)
    if scenario is Scenario.LINK_CUT and any(lost in node.running for node in together):
        return f"the others do not know yet that {victim} is lost"
    return None


def unhealed(site: Site, live: Live, victim: str) -> str:
    """Return which nodes stay partitioned when the cable is in again; with `ignore` it does not heal by itself."""
    found = nodes(live)
    split = sorted(host for host, node in found.items() if node.partitions)
    handling = parameters.PARTITION_HANDLING.of(site)
    if victim not in found or not split or handling != "ignore":
        return ""
    return (
        f"{', '.join(split)} {'see' if len(split) > 1 else 'sees'} a partition, which does not heal by itself while "
        "rabbitmq.partition_handling is ignore (the owner's decision)"
    )


def isolated(site: Site, server: Server) -> Isolated:
    """Return how to try a publish on a node that cannot be reached."""
    access = values.access(site, server)
    url = f"http://{server.address}:{MANAGEMENT_PORT}/api/exchanges/%2F/amq.default/publish"
    return Isolated(
        ("python3", "-c", _TRY, url),
        Secret(access.password.name, f"{access.user}\n{access.password.reveal()}\n"),
        "kbz-confirmed",
    )


DRILL = Drill(
    container=values.CONTAINER,
    workload=workload,
    not_recovered=not_recovered,
    limit=LIMIT,
    isolated=isolated,
    unhealed=unhealed,
    not_applicable={
        Scenario.SWITCHOVER: "the cluster has no leader: each queue elects its own leader"
    },
)
