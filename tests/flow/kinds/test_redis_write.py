"""The reading `redis-write`: an application's write, at servers that take it, refuse it or are not there."""

from __future__ import annotations

from typing import Any

import pytest

from keybuzz.model.core.secret import Secret
from tasks.redis.agent import look as redis_reading
from tasks.redis.service.readings import RedisWrite
from tests.flow.servers.redis_server import FakeRedis, FaultError, Reply, fake_redis

PASSWORD = "PlantedNeedle-redis-1234"


class Node:
    """Answers as one Redis: its role, and what became of the writes."""

    def __init__(self, role: str, back: str | None = "kbz") -> None:
        self.role = role
        self.back = back

    def __call__(self, words: list[str]) -> Reply:
        match words[0]:
            case "INFO":
                return f"# Replication\r\nrole:{self.role}\r\nconnected_slaves:2\r\n"
            case "SET" if self.role == "slave":
                raise FaultError("READONLY You can't write against a read only replica.")
            case "SET":
                return "OK"
        return self.back


def written(server: FakeRedis, password: str = PASSWORD) -> dict[str, Any]:
    secret = Secret("REDIS_PASSWORD", password)
    query = RedisWrite("w", "127.0.0.1", server.port, secret, "kbz:probe:haproxy-01").query()
    found = redis_reading.answer_redis_write(query)
    assert password not in repr(found)
    return found


def test_the_master_takes_it_and_it_expires_by_itself() -> None:
    with fake_redis(Node("master"), PASSWORD) as server:
        assert written(server) == {"accepted": True, "role": "master", "reason": ""}
        assert ["SET", "kbz:probe:haproxy-01", "kbz", "EX", "60"] in server.said


def test_a_replica_refuses_it_in_its_own_words() -> None:
    with fake_redis(Node("slave"), PASSWORD) as server:
        found = written(server)
    assert (found["accepted"], found["role"]) == (False, "slave")
    assert "READONLY" in found["reason"]


def test_a_wrong_password_is_an_answer_without_it() -> None:
    with fake_redis(Node("master"), PASSWORD) as server:
        found = written(server, "another-password-1234")
    assert found["accepted"] is False
    assert found["reason"]


def test_a_write_that_does_not_come_back_is_none() -> None:
    with fake_redis(Node("master", back=None), PASSWORD) as server:
        found = written(server)
    assert (found["accepted"], found["reason"]) == (False, "what was written does not come back")


def test_nobody_there_is_a_problem_of_the_reading_and_no_refusal() -> None:
    with fake_redis(Node("master"), PASSWORD) as server:
        pass
    with pytest.raises(Exception, match="refused"):
        written(server)
