"""A Redis of an older installation may have no file to keep settings in, or none that it may write.

It is set, and replaced later.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from keybuzz.agent.runtime.errors import AgentError
from tasks.redis.agent import password as redis_password
from tasks.redis.agent import redis as kind
from tests.flow.servers.redis_server import FaultError, Reply, fake_redis

PASSWORD = "PlantedNeedle-redis-1234"
OWN, OLD = "/opt/own/redis.conf", "/etc/redis/redis.conf"
CANNOT = (
    ("ERR The server is running without a config file", ""),
    ("ERR Rewriting config file: Permission denied", OLD),
    ("ERR Rewriting config file: Read-only file system", OLD),
)
STOPPED: Any = SimpleNamespace(docker=SimpleNamespace(inspect=lambda name: None))


class WithoutFile:
    """Takes every setting, and can keep none."""

    def __init__(self, fault: str, file: str) -> None:
        self.file = file
        self.values = {"appendonly": "no", "masterauth": "", "requirepass": PASSWORD}
        self.fault = fault

    def __call__(self, words: list[str]) -> Reply:
        """Answer one command."""
        match words[:2]:
            case ["CONFIG", "REWRITE"]:
                raise FaultError(self.fault)
            case ["INFO", "server"]:
                return f"# Server\r\nredis_version:7.2.5\r\nconfig_file:{self.file}\r\n"
            case ["CONFIG", "GET"]:
                return [words[2], self.values.get(words[2], "")]
            case ["CONFIG", "SET"]:
                self.values[words[2]] = words[3]
        return "OK"


def order(port: int) -> dict[str, Any]:
    place = {"name": "live", "address": "127.0.0.1", "port": port, "password": PASSWORD}
    return {
        **place,
        "file": OWN,
        "former": "",
        "keys": ["appendonly"],
        "settings": {"appendonly": "yes"},
    }


@pytest.mark.parametrize(("fault", "file"), CANNOT)
def test_settings_and_passwords_are_set_in_a_redis_that_keeps_none(fault: str, file: str) -> None:
    daemon = WithoutFile(fault, file)
    with fake_redis(daemon, PASSWORD) as server:
        kind.write_redis_settings(order(server.port), STOPPED)
        after = kind.read_redis_settings(order(server.port), STOPPED)["attributes"]
        redis_password.write_redis_password(order(server.port), STOPPED)
    assert after == {"appendonly": "yes", "masterauth_matches": True}


def test_the_described_file_that_cannot_be_written_is_still_a_fault() -> None:
    full = WithoutFile("ERR Rewriting config file: No space left", OWN)
    with fake_redis(full, PASSWORD) as server:
        with pytest.raises(AgentError, match="No space left"):
            kind.write_redis_settings(order(server.port), STOPPED)
        with pytest.raises(AgentError, match="cannot keep them"):
            redis_password.write_redis_password(order(server.port), STOPPED)
