"""The protocol that clients of the cluster speak, for drills of it and of its entries. Data only."""

from __future__ import annotations

from keybuzz.model.reports.drill import WorkloadKind

AMQP = WorkloadKind("amqp", "pika", "pika", "keybuzz.engine.drill.clients.amqp")
