"""An application of Redis: it knows 10.0.0.10:6379 and nothing of Sentinel, and notes which node took each write."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import redis

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from keybuzz.site.credentials.store import load_credentials
from tests.lab.conftest import Kbz

BALANCER = "10.0.0.10"


@dataclass
class Taken:
    """Writes that were acknowledged during a block: number, and the address of the node that took it."""

    by: dict[int, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


@dataclass
class Application:
    """The application's credentials, in the lab that it lives in."""

    kbz: Kbz
    numbers: int = 0
    told: str = ""
    """The password that it was given; without one it looks into the store."""

    def write(self, host: str = BALANCER) -> str:
        """Write one number in a new session; return the node's address. redis.RedisError when nobody took it."""
        self.numbers += 1
        with (
            visiting(NAMESPACES / self.kbz.root.name),
            closing(self._client(host)) as client,
            client.pipeline(transaction=True) as together,
        ):
            together.config_get("bind")
            together.sadd("application", self.numbers)
            bound, _ = together.execute()
        return str(bound["bind"])

    def writes(self, host: str = BALANCER) -> bool:
        """Return whether a new session there can write now."""
        try:
            self.write(host)
        except redis.RedisError:
            return False
        return True

    def there(self) -> set[int]:
        """Return the numbers that the endpoint's Redis has."""
        with visiting(NAMESPACES / self.kbz.root.name), closing(self._client(BALANCER)) as client:
            return {int(member) for member in client.smembers("application")}

    @contextmanager
    def traffic(self) -> Iterator[Taken]:
        """Write all the time, each time in a new session, during the block."""
        taken, stop = Taken(), threading.Event()

        def work() -> None:
            while not stop.wait(0.02):
                try:
                    node = self.write()
                    taken.by[self.numbers] = node
                except redis.RedisError as error:
                    taken.failures.append(f"{time.monotonic():.1f}: {error}")

        thread = threading.Thread(target=work, name="traffic")
        thread.start()
        try:
            yield taken
        finally:
            stop.set()
            thread.join(30)

    def store(self) -> str:
        """Return the password of the store as it is now."""
        return load_credentials(self.kbz.root / "credentials")["REDIS_PASSWORD"].reveal()

    def _client(self, host: str) -> Any:
        return redis.Redis(
            host,
            6379,
            password=self.told or self.store(),
            socket_timeout=4.0,
            socket_connect_timeout=2.0,
            decode_responses=True,
        )
