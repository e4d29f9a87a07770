"""RabbitMQ and its entry as older scripts left them, brought under kbz while an application publishes.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

from contextlib import closing

import pika
import pytest

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from tests.lab.conftest import Kbz
from tests.lab.legacy.old_fleet import (
    OldFleet,
    accepted_once_and_quiet,
    foretold_restarts,
    interrupted,
    running,
)
from tests.lab.support.endpoints import RABBITMQ, Applications
from tests.lab.support.writing import writing

pytestmark = pytest.mark.lab

HOSTS = ("queue-01", "queue-02", "queue-03", "haproxy-01", "haproxy-02")
ADDRESSES = ("10.0.0.126", "10.0.0.127", "10.0.0.128")
MODULES = ("rabbitmq-proxy", "rabbitmq")


@pytest.fixture(scope="module")
def old(queue_lab: Kbz, in_full: bool) -> OldFleet:
    """Three old RabbitMQ servers and two old entries, with messages."""
    made = OldFleet(queue_lab, HOSTS, "rabbitmq,haproxy")
    made.make_ready(bare=in_full)
    made.kbz.good("lab", "legacy", "rabbitmq")
    made.kbz.good("lab", "legacy", "rabbitmq-proxy")
    return made


def messages(old: OldFleet, address: str) -> list[bytes]:
    """Read all old messages through one node; they go back when the connection closes."""
    login = pika.PlainCredentials("kb_rmq", old.secrets()["RABBITMQ_PASSWORD"])
    with (
        visiting(NAMESPACES / old.kbz.root.name),
        closing(
            pika.BlockingConnection(pika.ConnectionParameters(address, 5672, credentials=login))
        ) as connection,
    ):
        channel = connection.channel()
        found: list[bytes] = []
        while (got := channel.basic_get("orders"))[0] is not None:
            found.append(got[2])
    return sorted(found)


class TestLook:
    def test_adopt_changes_nothing_and_tells_no_secret(self, old: OldFleet) -> None:
        found = old.foretold("rabbitmq", "rabbitmq-proxy")
        assert found["rabbitmq"]["refusals"]
        old.looked("plan", *MODULES, "--limit", old.limit)
        old.looked("drift", *MODULES, "--limit", old.limit)

    def test_a_run_refuses_another_cookie_and_writes_nothing(self, old: OldFleet) -> None:
        refused = old.looked(*old.lifted("rabbitmq"), codes=(3,))
        assert "queue-01" in refused.stdout + refused.stderr

    def test_the_live_credentials_are_taken_over_by_the_typed_name(self, old: OldFleet) -> None:
        words = ("adopt", "rabbitmq", "--take-credentials", "--confirm", "rabbitmq")
        taken = old.looked(*words, codes=(0,)).stdout
        for name in ("RABBITMQ_PASSWORD", "RABBITMQ_ERLANG_COOKIE"):
            assert f"take {name} into rabbitmq.env" in taken
        assert old.refusals(*MODULES) == []

    def test_data_of_a_newer_series_is_refused_and_nothing_is_written(self, old: OldFleet) -> None:
        path = "/opt/keybuzz/rabbitmq/data/mnesia/rabbit@newer-feature_flags"
        old.kbz.on("queue-02", f"printf \"['rabbitmq_4.2.0'].\" > {path}; chown 999:999 {path}")
        said = " ".join(old.looked(*old.lifted("rabbitmq"), codes=(3,)).stdout.split())
        assert "queue-02: the data of RabbitMQ has the feature flags rabbitmq_4.2.0" in said
        assert "put RabbitMQ 4.2 or later into versions.yaml" in said
        assert len(old.refusals("rabbitmq")) == 1
        old.kbz.on("queue-02", f"rm {path}")

    def test_what_stays_is_accepted_once_and_quiet_from_then_on(self, old: OldFleet) -> None:
        accepted_once_and_quiet(old, "rabbitmq", "drift/queue-*/container:rabbitmq")


@pytest.mark.long
class TestConverge:
    def test_member_by_member_behind_the_gates_no_message_is_lost(self, old: OldFleet) -> None:
        before, data = running(old), messages(old, ADDRESSES[0])
        assert len(data) == 300
        foretold = foretold_restarts(old.foretold(*MODULES))
        Applications(old.kbz).put(RABBITMQ, 0)  # makes its queue
        with writing(Applications(old.kbz), RABBITMQ) as acknowledged:
            for module in MODULES:
                done = old.kbz.good(*old.lifted(module), timeout=1200)
                old.untold(done.stdout + done.stderr)
        assert len(acknowledged) > 50
        assert interrupted(before, running(old)) == foretold
        for address in ADDRESSES:
            assert messages(old, address) == data

    def test_a_second_run_has_nothing_to_do_and_nothing_old_is_left(self, old: OldFleet) -> None:
        after = running(old)
        done = old.kbz.good("run", *MODULES, "--limit", old.limit, "--format", "json")
        assert done.json()["plan"]["size"] == 0
        assert running(old) == after
        assert old.strays(*MODULES) == set()
