"""States of RabbitMQ; when is in `ROUNDS`."""

from __future__ import annotations

from tests.lab.fleet.bad_states.made import Bad

_API = (
    "q add_user tmp tmp; q set_user_tags tmp administrator; q set_permissions tmp '.*' '.*' '.*'; "
    "A=http://$(hostname -I | tr ' ' '\\n' | grep -m1 '^10\\.0\\.0\\.'):15672/api; "
    "curl -sf -u tmp:tmp"
)
"""The management API, as an administrator that is there for one moment."""

SETTINGS = (
    Bad(
        "K-57",
        "queue-01",
        """q set_policy cap '.*' '{"max-length":1}'""",
        "q list_policies",
        "cap",
        "q clear_policy cap",
        drift="rabbitmq/policy:cap in /",
    ),
    Bad(
        "K-58",
        "queue-02",
        """q set_operator_policy op '.*' '{"max-length":1000}' --apply-to queues""",
        "q list_operator_policies",
        "max-length",
        "q clear_operator_policy op",
        drift="rabbitmq/operator-policy:op in /",
    ),
    Bad(
        "K-59",
        "queue-03",
        "q trace_on",
        "q list_vhosts name tracing",
        "true",
        "q trace_off",
        drift="rabbitmq/tracing:/",
    ),
    Bad(
        "K-60",
        "queue-02",
        """q set_user_limits kb_rmq '{"max-channels":500}'""",
        "q list_user_limits --user kb_rmq",
        "500",
        "q clear_user_limits kb_rmq max-channels",
        drift="rabbitmq/limit:user kb_rmq",
    ),
    Bad(
        "S-23",
        "queue-01",
        _API
        + ' -X PUT -d \'{"durable":true,"arguments":{"x-queue-type":"classic"}}\' $A/queues/%2F/old; '
        'curl -sf -u tmp:tmp -d \'{"properties":{"delivery_mode":2},"routing_key":"old","payload":"x",'
        '"payload_encoding":"string"}\' $A/exchanges/%2F/amq.default/publish; q delete_user tmp',
        "q list_queues name type durable messages",
        "old\tclassic\ttrue\t1",
        "q delete_queue old",
        ("rabbitmq.queues.copies", "warn", "old"),
    ),
)
TAKEN = (
    Bad(
        "K-72",
        "queue-03",
        "q eval 'rabbit_maintenance:suspend_all_client_listeners().'",
        "ss -ltn | grep ':5672 ' || echo no listener",
        "no listener",
        "q eval 'rabbit_maintenance:resume_all_client_listeners().'",
        ("rabbitmq.node.answers", "critical", "does not answer"),
    ),
)
