"""Writes to Redis as an application does, at whoever Sentinel says is master, and remembers what was acknowledged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import redis
from redis.sentinel import MasterNotFoundError, Sentinel

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from keybuzz.site.credentials.store import load_credentials
from tests.lab.conftest import Kbz, until

ADDRESSES = {"redis-01": "10.0.0.123", "redis-02": "10.0.0.124", "redis-03": "10.0.0.125"}
MASTER = "kb-redis-master"
_PATIENCE = 60.0
_PLAIN: dict[str, Any] = {
    "socket_timeout": 2.0,
    "socket_connect_timeout": 1.0,
    "decode_responses": True,
}

Value = TypeVar("Value")


class RedisLedger:
    """Keys that Redis has acknowledged, on the master and on both replicas when `write` says so."""

    def __init__(self, kbz: Kbz) -> None:
        self._kbz = kbz
        self._acknowledged: set[str] = set()
        self._next = 0

    @contextmanager
    def node(self, host: str) -> Iterator[Any]:
        """Give a client of one node."""
        with visiting(NAMESPACES / self._kbz.root.name):
            client = redis.Redis(ADDRESSES[host], 6379, password=self._password(), **_PLAIN)
            try:
                yield client
            finally:
                client.close()

    @contextmanager
    def sentinel(self, host: str) -> Iterator[Any]:
        """Give a client of one Sentinel."""
        with visiting(NAMESPACES / self._kbz.root.name):
            client = redis.Redis(ADDRESSES[host], 26379, **_PLAIN)
            try:
                yield client
            finally:
                client.close()

    def master(self) -> str:
        """Return the host of the master as a client finds it."""
        with visiting(NAMESPACES / self._kbz.root.name):
            found: tuple[str, int] = self._sentinels().discover_master(MASTER)
        return next(host for host, known in ADDRESSES.items() if known == found[0])

    def roles(self) -> dict[str, str]:
        """Return what each node that answers says of itself."""
        found: dict[str, str] = {}
        for host in ADDRESSES:
            try:
                with self.node(host) as client:
                    found[host] = client.info("replication")["role"]
            except redis.RedisError:
                continue
        return found

    def lead(self, host: str) -> None:
        """Have Sentinel make this node the master when another one is, and wait until the others follow it."""
        if self.master() == host:
            return
        self._prefer(host, 1)
        until(lambda: self._rank(host) == 1, 30, f"Sentinel has asked {host} again")
        with self.sentinel(host) as sentinel:
            sentinel.execute_command("SENTINEL", "FAILOVER", MASTER)
        led = {name: "master" if name == host else "slave" for name in ADDRESSES}
        until(lambda: self.roles() == led, 60, f"{host} is the master, and the others follow")
        self._prefer(host, 100)

    def _prefer(self, host: str, rank: int) -> None:
        """Set the rank by which Sentinel chooses; Sentinel has the node write it into its file, so that is done too."""
        with self.node(host) as client:
            client.config_set("replica-priority", rank)
            client.config_rewrite()

    def _rank(self, host: str) -> int:
        """Return the rank of a replica as its own host's Sentinel knows it."""
        with self.sentinel(host) as sentinel:
            known = {item["ip"]: item for item in sentinel.sentinel_slaves(MASTER)}
        return int(known[ADDRESSES[host]]["slave-priority"])

    def rank_all(self, rank: int) -> None:
        """Set the rank of every node; Sentinel knows it when it has asked again."""
        for host in ADDRESSES:
            with self.node(host) as client:
                client.config_set("replica-priority", rank)

    def write(self, copies: int = 0) -> None:
        """Write one key, for as long as it takes to be acknowledged, by so many replicas too."""
        self._next += 1
        key = f"ledger:{self._next}"

        def once(client: Any) -> bool:
            client.set(key, self._next)
            return int(client.wait(copies, 1000)) >= copies if copies else True

        deadline = time.monotonic() + _PATIENCE
        while not self._at_master(once):
            assert time.monotonic() < deadline, f"not on {copies} replicas within {_PATIENCE:g} s"
        self._acknowledged.add(key)

    def missing(self) -> set[str]:
        """Return acknowledged keys that the master does not have."""
        found = self._at_master(lambda client: set(client.scan_iter("ledger:*", count=1000)))
        return self._acknowledged - found

    def _at_master(self, act: Callable[[Any], Value]) -> Value:
        """Do it at the master; look for the master again as long as there is none."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                with self.node(self.master()) as client:
                    return act(client)
            except (redis.RedisError, MasterNotFoundError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _sentinels(self) -> Any:
        """Return redis-py's own Sentinel client, which ships without types."""
        make: Any = Sentinel
        return make([(address, 26379) for address in ADDRESSES.values()], sentinel_kwargs=_PLAIN)

    def _password(self) -> str:
        return load_credentials(self._kbz.root / "credentials")["REDIS_PASSWORD"].reveal()
