"""RabbitMQ's definitions in the repository of backup-01: in and out, and no messages.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import pytest

from tests.lab.conftest import Kbz, until
from tests.lab.ledgers.queue_ledger import QUEUE, QueueLedger
from tests.lab.ledgers.stored import HOST, BackedUp
from tests.lab.support.watching import watching

pytestmark = [pytest.mark.lab, pytest.mark.long]

RUN = ("run", "rabbitmq", "--limit", "rabbitmq", "--lift-freeze", "rabbitmq")
REASON = ("--reason", "the owner said so on the phone")


@pytest.fixture(scope="module")
def rabbitmq(queue_lab: Kbz) -> BackedUp:
    """RabbitMQ stands with a queue, whatever ran before, and backup-01 has its base."""
    queue_lab.good("run", "base", "--limit", "backup-01")
    queue_lab.good(*RUN, *REASON)
    healthy = ("health", "rabbitmq", "--limit", "rabbitmq")
    until(lambda: queue_lab(*healthy).code == 0, 60, "RabbitMQ is whole")
    with QueueLedger(queue_lab).channel("10.0.0.126") as channel:
        channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(QUEUE, "amq.direct", "a key")
    return BackedUp(queue_lab, "rabbitmq", "keybuzz-queue")


class TestRabbitmq:
    def test_definitions_are_taken_verified_and_restored_into_an_empty_broker(
        self, rabbitmq: BackedUp
    ) -> None:
        with watching("cmdline") as lines:
            [copy] = rabbitmq.taken()
        rabbitmq.require_unseen(lines, "rabbitmq.env", "backup.env")
        assert (copy["state"], copy["wrong"]) == ("whole", None)
        rabbitmq.kbz.good("backup", "verify", "rabbitmq")
        done = rabbitmq.restore()
        assert done.code == 0, done.stdout + done.stderr
        print(f"recovery time {done.json()['seconds']} s, last {done.json()['reached']}")
        inside = "docker exec kbz-restored-rabbitmq rabbitmqctl --quiet"
        assert QUEUE in rabbitmq.kbz.on(HOST, f"{inside} list_queues name messages")
        assert "a key" in rabbitmq.kbz.on(HOST, f"{inside} list_bindings")
        assert "kb_rmq" in rabbitmq.kbz.on(HOST, f"{inside} list_users")
        rabbitmq.take_away()

    def test_a_drill_starts_a_broker_of_its_own_and_leaves_none(self, rabbitmq: BackedUp) -> None:
        [drilled] = rabbitmq.kbz.good("drill", "restore", "rabbitmq", "--format", "json").json()[
            "services"
        ]
        assert drilled["problem"] is None
        print(f"RTO {drilled['recovery_seconds']} s, RPO {drilled['lost_seconds']} s")
        rabbitmq.kbz.on(HOST, "! docker inspect kbz-drilled-rabbitmq")
