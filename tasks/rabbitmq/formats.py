"""Which data each series of RabbitMQ loads, by the feature flags that are enabled in it. Data only.

A flag that is enabled stays so, and a node that does not know one of them does not start. So data of any newer series
has the flags of those in between. That Khepri took the place of Mnesia's tables is a flag too.
"""

from __future__ import annotations

import re

from keybuzz.model.host.formats import Formats, growing

FORMATS = Formats(
    service="RabbitMQ",
    image="rabbitmq",
    called="feature flag",
    tag=re.compile(r":v?(\d+)\.(\d+)(?:[.\-@]|$)"),
    example="rabbitmq:3.12.14-management",
    # The series that brought each (RabbitMQ's page on feature flags); those of the plugins that the image enables too.
    until=(5,),
    rows=growing(
        (
            (3, 8),
            (
                "drop_unroutable_metric",
                "empty_basic_get_metric",
                "implicit_default_bindings",
                "maintenance_mode_status",
                "quorum_queue",
                "user_limits",
                "virtual_host_metadata",
            ),
        ),
        ((3, 9), ("stream_queue",)),
        ((3, 10), ("classic_queue_type_delivery_support",)),
        (
            (3, 11),
            (
                "classic_mirrored_queue_version",
                "direct_exchange_routing_v2",
                "feature_flags_v2",
                "listener_records_in_ets",
                "stream_single_active_consumer",
                "tracking_records_in_ets",
            ),
        ),
        (
            (3, 12),
            (
                "delete_ra_cluster_mqtt_node",
                "rabbit_mqtt_qos0_queue",
                "restart_streams",
                "stream_sac_coordinator_unblock_group",
            ),
        ),
        (
            (3, 13),
            (
                "detailed_queues_endpoint",
                "khepri_db",
                "message_containers",
                "message_containers_deaths_v2",
                "mqtt_v5",
                "quorum_queue_non_voters",
                "stream_filtering",
                "stream_update_config_command",
            ),
        ),
        ((4, 0), ("rabbit_exchange_type_local_random", "rabbitmq_4.0.0")),
        ((4, 1), ("rabbitmq_4.1.0",)),
        ((4, 2), ("rabbitmq_4.2.0",)),
    ),
)
