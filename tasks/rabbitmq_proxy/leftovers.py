"""What older scripts left beside the entry to RabbitMQ, by name. Data only."""

from __future__ import annotations

from keybuzz.model.host.retired import retired
from tasks.rabbitmq_proxy.values import ROOT

LEFTOVERS = retired(
    units=("haproxy-rabbitmq-docker.service",),
    files=(f"{ROOT}/config/haproxy-rabbitmq.cfg", f"{ROOT}/config/haproxy.cfg"),
    folders=(f"{ROOT}/config", f"{ROOT}/logs"),
)
