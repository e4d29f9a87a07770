"""A Redis master with one replica and its Sentinel, scripted, for the hand-over of the master's role."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tasks.redis.agent import redis as kind
from tests.flow.servers.redis_server import Reply, fake_redis

_LOCAL = "127.0.0.1"
_PASSWORD = "PlantedNeedle-redis-1234"
_STOPPED: Any = SimpleNamespace(docker=SimpleNamespace(inspect=lambda name: None))


class Replicated:
    """A master with one replica at an offset, and a Sentinel that names another master."""

    def __init__(self, offset: int, other: str, heir: str = "") -> None:
        self.said: list[list[str]] = []
        self.heir = heir
        """Address of the replica that is named; empty: Sentinel chooses."""
        self.offset, self.other = offset, other
        self.replica = 0
        """Port of the replica, on this host."""
        self.rank = "100"
        self.known = ["100"]
        """What Sentinel knows of its rank, each time that it is asked; the last from then on."""
        self.flags = "slave"
        self.ranks: list[str] = []
        """Each replica-priority that the replica was given, and `file` each time that it wrote its file."""

    def redis(self, words: list[str]) -> Reply:
        self.said.append(words)
        if words[0] != "INFO":
            return "OK"
        place = f"ip={self.where},port={self.replica},state=online"
        return f"role:master\r\nmaster_repl_offset:900\r\nslave0:{place},offset={self.offset},lag=0\r\n"

    def answer_of_replica(self, words: list[str]) -> Reply:
        match words:
            case ["CONFIG", "GET", name]:
                return [name, self.rank]
            case ["CONFIG", "SET", "replica-priority", rank]:
                self.rank = rank
                self.ranks.append(rank)
                return "OK"
            case ["CONFIG", "REWRITE"]:
                self.ranks.append("file")
                return "OK"
        assert words == ["INFO", "replication"]
        return f"role:slave\r\nslave_priority:{self.rank}\r\n"

    def sentinel(self, words: list[str]) -> Reply:
        self.said.append(words)
        if words[1] == "REPLICAS":
            known = self.known.pop(0) if len(self.known) > 1 else self.known[0]
            told = ["ip", self.where, "port", str(self.replica), "slave-priority", known]
            return [[*told, "flags", self.flags, "master-link-status", "ok"]]
        return ["ip", self.other, "port", "6379"] if words[1] == "MASTER" else "OK"

    @property
    def where(self) -> str:
        """Address of the replica."""
        return self.heir or _LOCAL

    def hand_over(self) -> None:
        """Do it as the agent does; to the replica by its name where that is the heir, which has the master's port."""
        with (
            fake_redis(self.redis, _PASSWORD) as one,
            fake_redis(self.sentinel) as two,
            fake_redis(
                self.answer_of_replica, _PASSWORD, self.where, one.port if self.heir else 0
            ) as three,
        ):
            self.replica = three.port
            order = {
                "address": _LOCAL,
                "port": one.port,
                "sentinel_port": two.port,
                "password": _PASSWORD,
                "former": "",
                "file": "",
                "master": "kb-redis-master",
                "heir": self.heir,
            }
            kind.write_redis_master(order, _STOPPED)

    @property
    def words(self) -> list[str]:
        return [" ".join(words[:2]) for words in self.said]
