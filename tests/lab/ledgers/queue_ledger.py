"""An application of the lab that publishes with confirms through the load balancer, and knows what was acknowledged."""

from __future__ import annotations

import json
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pika
from pika.exceptions import AMQPError

from keybuzz.agent.wire import http
from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from keybuzz.site.credentials.store import load_credentials
from keybuzz.site.load import load_site, read_configuration
from tasks.rabbitmq.drill import isolated
from tests.lab.conftest import Kbz

BALANCER = "10.0.0.10"
ADDRESSES = {"queue-01": "10.0.0.126", "queue-02": "10.0.0.127", "queue-03": "10.0.0.128"}
QUEUE = "ledger"


@dataclass
class Published:
    """What one connection got confirmed during a block, and why it ended before the block did."""

    bodies: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass
class QueueLedger:
    """The credentials, and every message that RabbitMQ has confirmed."""

    kbz: Kbz
    confirmed: set[str] = field(default_factory=set)
    sent: int = 0
    told: str = ""
    """The password that it was given; without one it looks into the store."""

    def _login(self) -> tuple[str, str]:
        store = load_credentials(self.kbz.root / "credentials")
        return store["RABBITMQ_USER"].reveal(), self.told or store["RABBITMQ_PASSWORD"].reveal()

    @contextmanager
    def channel(self, host: str = BALANCER) -> Iterator[Any]:
        """Open a channel with publisher confirms."""
        login = pika.PlainCredentials(*self._login())
        with visiting(NAMESPACES / self.kbz.root.name):
            connection = pika.BlockingConnection(
                pika.ConnectionParameters(
                    host, credentials=login, socket_timeout=5, blocked_connection_timeout=20
                )
            )
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            yield channel
        finally:
            if connection.is_open:
                connection.close()

    def publish(self, count: int = 1) -> int:
        """Publish durable messages over one connection; return how many were confirmed."""
        good = 0
        try:
            with self.channel() as channel:
                channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
                for _ in range(count):
                    self.sent += 1
                    body = f"message {self.sent}"
                    durable = pika.BasicProperties(delivery_mode=2)
                    channel.basic_publish("", QUEUE, body.encode(), durable, mandatory=True)
                    self.confirmed.add(body)
                    good += 1
        except (AMQPError, OSError):
            pass  # not confirmed: the ledger does not count it
        return good

    @contextmanager
    def publishing(self) -> Iterator[Published]:
        """Publish all the time over one connection during the block."""
        found, stop = Published(), threading.Event()

        def work() -> None:
            try:
                with self.channel() as channel:
                    while not stop.wait(0.05):
                        body = f"published {len(found.bodies)}"
                        channel.basic_publish("", QUEUE, body.encode(), mandatory=True)
                        found.bodies.append(body)
            except (AMQPError, OSError) as error:
                found.failures.append(repr(error))

        thread = threading.Thread(target=work, name="publishing")
        thread.start()
        try:
            yield found
        finally:
            stop.set()
            thread.join(30)
        self.confirmed.update(found.bodies)

    def missing(self) -> set[str]:
        """Read everything, put it back, and return the confirmed messages that are not there."""
        found: set[str] = set()
        with self.channel() as channel:
            while True:
                method, _, body = channel.basic_get(QUEUE)
                if method is None:
                    return self.confirmed - found
                found.add(body.decode())

    def api(self, host: str, path: str) -> Any:
        """Ask the management API of a node."""
        login = b64encode(":".join(self._login()).encode()).decode()
        with visiting(NAMESPACES / self.kbz.root.name):
            url = f"http://{ADDRESSES[host]}:15672{path}"
            answer = http.request_url("GET", url, 5.0, {"Authorization": f"Basic {login}"})
        return json.loads(answer.body)

    def tries(self, host: str) -> str:
        """Return what the drill's program for an isolated node prints; here it can reach the node."""
        site = load_site(read_configuration(self.kbz.config))
        attempt = isolated(site, site.server(host))
        assert attempt.feed is not None
        with visiting(NAMESPACES / self.kbz.root.name):
            done = subprocess.run(
                attempt.argv,
                check=True,
                input=attempt.feed.reveal(),
                capture_output=True,
                text=True,
                timeout=60,
            )
        return done.stdout + done.stderr
