"""How applications know RabbitMQ: its official endpoint, and the words that mean it. Data only."""

from __future__ import annotations

import re

from keybuzz.site.applications.services import Service

SERVICE = Service(
    "RabbitMQ",
    "rabbitmq",
    (5672,),
    "haproxy",
    frozenset({5671, 15672, 25672, 4369, 15692}),
    frozenset({"amqp", "amqps", "pyamqp", "rabbitmq", "kombu"}),
    re.compile(r"rabbit\w*|amqp\w*|rmq"),
)
