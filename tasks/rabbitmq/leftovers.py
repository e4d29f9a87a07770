"""What older scripts left beside RabbitMQ, by name. Data only."""

from __future__ import annotations

from keybuzz.model.host.retired import retired

LEFTOVERS = retired(units=("rabbitmq-docker.service", "rabbitmq.service"))
