"""How the entry to RabbitMQ is drilled: one of its hosts dies, and the load balancer's address keeps answering."""

from __future__ import annotations

from keybuzz.model.reports.drill import Scenario, Workload
from keybuzz.site.drill import PAIR, Drill, by_the_other
from keybuzz.site.site import Site
from tasks.rabbitmq.service import AMQP
from tasks.rabbitmq_proxy import values
from tasks.rabbitmq_proxy.members import up

ENDPOINT = "10.0.0.10"
LIMIT = 30.0
"""Seconds: three checks of the provider's load balancer (LB-2), and a session that must begin anew."""


def workload(site: Site, scenario: Scenario) -> Workload:
    """Return an application's confirmed messages through the load balancer; the nodes themselves are not touched."""
    del scenario
    return Workload(
        AMQP,
        ENDPOINT,
        values.PORT,
        site.secret("RABBITMQ_USER").reveal(),
        site.secret("RABBITMQ_PASSWORD"),
        "/",
    )


DRILL = Drill(
    container=values.CONTAINER,
    workload=workload,
    not_recovered=by_the_other(up),
    limit=LIMIT,
    not_applicable=PAIR,
)
