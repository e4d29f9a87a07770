"""RabbitMQ for those who use it: endpoint, protocol, credentials and where older ones lie. Data only."""

from __future__ import annotations

import re

from keybuzz.model.host.candidates import Places
from keybuzz.model.reports.drill import WorkloadKind
from keybuzz.site.applications.services import Service
from keybuzz.site.credentials.schema import Credential
from tasks.rabbitmq.service.offer import OFFER, PORT

SERVICE = Service(
    "RabbitMQ",
    "rabbitmq",
    (PORT,),
    "haproxy",
    frozenset({5671, 15672, 25672, 4369, 15692}),
    frozenset({"amqp", "amqps", "pyamqp", "rabbitmq", "kombu"}),
    re.compile(r"rabbit\w*|amqp\w*|rmq"),
    offer=OFFER,
)

AMQP = WorkloadKind("amqp", "pika", "pika", "tasks.rabbitmq.drill.client")
"""What clients speak, also through the entries to the cluster; for drills."""

_QUEUED = ("rabbitmq", "haproxy")
"""The HAProxy hosts prove by a login that RabbitMQ is behind them."""

CREDENTIALS = (
    Credential(
        "RABBITMQ_USER",
        "rabbitmq.env",
        "kb_rmq",
        _QUEUED,
        aliases=("RABBITMQ_DEFAULT_USER",),
        weak=frozenset({"guest"}),
    ),
    Credential(
        "RABBITMQ_PASSWORD",
        "rabbitmq.env",
        "",
        _QUEUED,
        aliases=("RABBITMQ_DEFAULT_PASS",),
    ),
    Credential("RABBITMQ_ERLANG_COOKIE", "rabbitmq.env", "", ("rabbitmq",), length=32),
)

_CONF = "/opt/keybuzz/rabbitmq/conf/*.conf"

PLACES = (
    Places(
        "RABBITMQ_USER",
        ("RABBITMQ_DEFAULT_USER", "RABBITMQ_USER"),
        (),
        ((_CONF, r"^\s*default_user\s*=\s*(\S+)"),),
    ),
    Places(
        "RABBITMQ_PASSWORD",
        ("RABBITMQ_DEFAULT_PASS", "RABBITMQ_PASSWORD"),
        (),
        ((_CONF, r"^\s*default_pass\s*=\s*(\S+)"),),
    ),
    Places(
        "RABBITMQ_ERLANG_COOKIE",
        ("RABBITMQ_ERLANG_COOKIE",),
        (),
        (("/opt/keybuzz/rabbitmq/*/.erlang.cookie", r"\A(\S+)\s*\Z"),),
    ),
)
