"""RabbitMQ and its entry as older scripts left them, brought under kbz while an application publishes.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pika
import pytest

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from keybuzz.model.core.secret import sha256
from tests.lab.conftest import Kbz
from tests.lab.ledgers.queue_ledger import ADDRESSES
from tests.lab.legacy import daemons
from tests.lab.legacy.old_fleet import OldFleet
from tests.lab.legacy.refusals import Ground, Refused, RefusedStopped, planted
from tests.lab.legacy.story import Converge, Look, Story
from tests.lab.support.endpoints import RABBITMQ

pytestmark = pytest.mark.lab

HOSTS = (*ADDRESSES, "haproxy-01", "haproxy-02")
DATA = "/opt/keybuzz/rabbitmq/data"


@pytest.fixture(
    scope="module", params=["environment", pytest.param("formation", marks=pytest.mark.long)]
)
def old(request: pytest.FixtureRequest, queue_lab: Kbz, in_full: bool) -> OldFleet:
    """Three old RabbitMQ servers and two old entries, with messages."""
    made = OldFleet(queue_lab, HOSTS, "rabbitmq,haproxy")
    made.make_ready(bare=in_full)
    made.kbz.good("lab", "legacy", "rabbitmq", "--variant", request.param)
    made.kbz.good("lab", "legacy", "rabbitmq-proxy")
    return made


def content(old: OldFleet, host: str) -> tuple[int, str]:
    """Read all old messages through one node; they go back when the connection closes."""
    login = pika.PlainCredentials("kb_rmq", old.secrets()["RABBITMQ_PASSWORD"])
    with (
        visiting(NAMESPACES / old.kbz.root.name),
        closing(
            pika.BlockingConnection(
                pika.ConnectionParameters(ADDRESSES[host], 5672, credentials=login)
            )
        ) as connection,
    ):
        channel = connection.channel()
        found: list[bytes] = []
        while (got := channel.basic_get("orders"))[0] is not None:
            found.append(got[2])
    return len(found), sha256(repr(sorted(found)).encode())


STORY = Story(
    ("rabbitmq-proxy", "rabbitmq"),
    {"rabbitmq": ("RABBITMQ_PASSWORD", "RABBITMQ_ERLANG_COOKIE")},
    "drift/queue-*/container:rabbitmq",
    tuple(ADDRESSES),
    300,
    content,
    daemons.of_rabbitmq,
    (RABBITMQ,),
)
GROUND = Ground(
    "rabbitmq",
    ("rabbitmq",),
    DATA,
    "mkdir $1/rabbit@queue-09",
    "queue-01: it holds data of a cluster of 3, and queue-02, queue-03 hold none",
)


class TestLook(Look):
    story = STORY


class TestRefused(Refused):
    story, ground = STORY, GROUND

    @contextmanager
    def foreign(self, old: OldFleet) -> Iterator[str]:
        path = f"{DATA}/.erlang.cookie"
        made = f"cp -p {path} /root/cookie; printf OF-ANOTHER-CLUSTER > {path}"
        with planted(old, "queue-03", made, f"cp -p /root/cookie {path}; rm /root/cookie"):
            yield "queue-03: the Erlang cookie beside RabbitMQ's data is not the one of rabbitmq.env"

    @contextmanager
    def newer(self, old: OldFleet) -> Iterator[str]:
        path = f"{DATA}/mnesia/rabbit@newer-feature_flags"
        made = f"printf \"['rabbitmq_4.2.0'].\" > {path}; chown 999:999 {path}"
        with planted(old, "queue-02", made, f"rm -f {path}"):
            yield "put RabbitMQ 4.2 or later into versions.yaml"


@pytest.mark.long
class TestRefusedStopped(RefusedStopped):
    story, ground = STORY, GROUND


@pytest.mark.long
class TestConverge(Converge):
    story = STORY
