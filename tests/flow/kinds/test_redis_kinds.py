"""How the agent reads and writes Redis and Sentinel: their files, their settings, and the hand-over."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from keybuzz.agent.guard.opener import UnsafeFileError
from keybuzz.agent.runtime.errors import AgentError
from tasks.redis.agent import password as password_kind
from tasks.redis.agent import redis as kind
from tasks.redis.agent import sentinel as sentinel_kind
from tests.flow.servers.redis_server import FaultError, Reply, fake_redis
from tests.flow.support.redis_replicated import Replicated

LOCAL = "127.0.0.1"
PASSWORD = "PlantedNeedle-redis-1234"
FORMER = "PlantedNeedle-before-1234"
RUNNING: Any = SimpleNamespace(
    docker=SimpleNamespace(inspect=lambda name: {"State": {"Running": True}})
)
STOPPED: Any = SimpleNamespace(docker=SimpleNamespace(inspect=lambda name: None))


def digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def runtime(path: Path, follows: str | None) -> dict[str, Any]:
    line = f"replicaof {follows} 6379\n" if follows else ""
    order = {"name": str(path), "owner": os.getuid(), "group": os.getgid()}
    return {**order, "container": "redis", "follows": follows, "line": line}


class TestRuntimeFiles:
    def test_it_is_made_once_and_only_the_daemon_may_read_it(self, tmp_path: Path) -> None:
        path = tmp_path / "redis.conf"
        kind.write_redis_runtime(runtime(path, "10.0.0.124"), STOPPED)
        state = kind.read_redis_runtime({"name": str(path)}, STOPPED)
        assert state["attributes"]["follows"] == "10.0.0.124"
        assert state["attributes"]["mode"] == "0600"
        assert [item.name for item in tmp_path.iterdir()] == ["redis.conf"]

    def test_runtime_state_is_never_overwritten(self, tmp_path: Path) -> None:
        path = tmp_path / "redis.conf"
        text = "maxmemory 1\nreplicaof 10.0.0.125 6379\nuser default on\n"
        path.write_text(text)
        kind.write_redis_runtime(runtime(path, None), RUNNING)
        assert path.read_text() == text
        with pytest.raises(AgentError, match="whom it follows is Sentinel's decision"):
            kind.write_redis_runtime(runtime(path, "10.0.0.124"), RUNNING)
        assert path.read_text() == text

    def test_a_stopped_one_can_be_told_whom_to_follow_and_keeps_the_rest(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "redis.conf"
        path.write_text("maxmemory 1\nslaveof 10.0.0.125 6379\nuser default on\n")
        kind.write_redis_runtime(runtime(path, "10.0.0.124"), STOPPED)
        assert path.read_text() == "maxmemory 1\nuser default on\nreplicaof 10.0.0.124 6379\n"

    def test_no_file_ever_promotes(self, tmp_path: Path) -> None:
        path = tmp_path / "redis.conf"
        path.write_text("replicaof 10.0.0.125 6379\n")
        with pytest.raises(AgentError, match="only Sentinel promotes") as error:
            kind.write_redis_runtime(runtime(path, ""), STOPPED)
        assert error.value.outcome == "refused"
        assert path.read_text() == "replicaof 10.0.0.125 6379\n"

    @pytest.mark.parametrize("word", ["redis", "sentinel"])
    def test_nothing_is_made_while_nobody_has_decided(self, tmp_path: Path, word: str) -> None:
        order = {**runtime(tmp_path / "x.conf", None), "text": ""}
        write = {
            "redis": kind.write_redis_runtime,
            "sentinel": sentinel_kind.write_sentinel_runtime,
        }[word]
        with pytest.raises(AgentError, match="the order does not say"):
            write(order, STOPPED)
        assert list(tmp_path.iterdir()) == []

    def test_sentinels_state_is_read_and_never_overwritten(self, tmp_path: Path) -> None:
        path = tmp_path / "sentinel.conf"
        text = (
            "sentinel monitor kb-redis-master 10.0.0.125 6379 2\nsentinel myid 123\n"
            "sentinel config-epoch kb-redis-master 7\nsentinel monitor mymaster 10.0.0.1 6379 2\n"
        )
        path.write_text(text)
        order = {**runtime(path, None), "master": "kb-redis-master", "text": "something new"}
        sentinel_kind.write_sentinel_runtime(order, RUNNING)
        assert path.read_text() == text
        found = sentinel_kind.read_sentinel_runtime(order, RUNNING)["attributes"]
        assert (found["monitors"], found["epoch"]) == ("10.0.0.125", 7)

    def test_a_link_in_its_place_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "other").write_text("replicaof 10.0.0.125 6379\n")
        (tmp_path / "redis.conf").symlink_to(tmp_path / "other")
        with pytest.raises(UnsafeFileError, match="is a link"):
            kind.read_redis_runtime({"name": str(tmp_path / "redis.conf")}, STOPPED)


class TestData:
    @pytest.mark.parametrize(
        ("names", "loadable"),
        [
            ({}, True),
            ({"dump.rdb": b"REDIS0011rest"}, True),
            ({"dump.rdb": b"REDIS0012rest"}, False),
            ({"appendonlydir/appendonly.aof.1.base.rdb": b"REDIS0012"}, False),
            ({"appendonlydir/appendonly.aof.1.incr.aof": b"*2\r\n$6\r\nSELECT"}, True),
        ],
    )
    def test_newer_data_is_seen_before_an_older_image_reads_it(
        self, tmp_path: Path, names: dict[str, bytes], loadable: bool
    ) -> None:
        for name, content in names.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(content)
        found = kind.read_redis_data({"name": str(tmp_path), "newest": 11}, STOPPED)
        assert found["attributes"]["loadable"] is loadable

    def test_data_is_never_written(self) -> None:
        with pytest.raises(AgentError) as error:
            kind.write_redis_data({"name": "/data"}, STOPPED)
        assert error.value.outcome == "refused"


class Daemon:
    """CONFIG of a Redis, or SENTINEL of a Sentinel, as a dictionary."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    def __call__(self, words: list[str]) -> Reply:
        match words:
            case ["CONFIG", "GET", key]:
                return [key, self.values[key]] if key in self.values else []
            case ["CONFIG", "SET", key, value]:
                self.values[key] = value
            case ["SENTINEL", "MASTER", _] if "quorum" not in self.values:
                raise FaultError("ERR No such master with that name")
            case ["SENTINEL", "MASTER", _]:
                return [part for pair in self.values.items() for part in pair]
            case ["SENTINEL", "MONITOR", _, address, _, quorum]:
                self.values |= {"ip": address, "quorum": quorum}
            case ["SENTINEL", "SET", _, key, value]:
                self.values[key] = value
            case ["SENTINEL", "CONFIG", "GET", key]:
                return [key, self.values.get(key, "")]
            case ["SENTINEL", "CONFIG", "SET", key, value]:
                self.values[key] = value
        return "OK"


class Doorkeeper(Daemon):
    """The same, with the passwords that its one user takes."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.taken: list[str] = []
        self.nopass = False

    def __call__(self, words: list[str]) -> Reply:
        match words:
            case ["ACL", "GETUSER", "default"]:
                flags: list[Reply] = ["on", "nopass"] if self.nopass else ["on"]
                return ["flags", flags, "passwords", [*self.taken], "commands", "+@all"]
            case ["ACL", "SETUSER", "default", "resetpass", *rules]:
                self.taken, self.nopass = [rule.removeprefix("#") for rule in rules], False
                return "OK"
        return super().__call__(words)


class TestSettings:
    def order(self, port: int) -> dict[str, Any]:
        wanted = {"appendonly": "yes", "maxmemory-policy": "allkeys-lru"}
        place = {"address": LOCAL, "port": port, "password": PASSWORD, "former": "", "file": ""}
        return {**place, "keys": list(wanted), "settings": wanted}

    def test_only_what_differs_is_set_and_then_kept_by_redis_itself(self) -> None:
        secrets = {"masterauth": "old"}
        daemon = Daemon({"appendonly": "no", "maxmemory-policy": "allkeys-lru", **secrets})
        with fake_redis(daemon, PASSWORD) as server:
            order = self.order(server.port)
            before = kind.read_redis_settings(order, STOPPED)
            kind.write_redis_settings(order, STOPPED)
            after = kind.read_redis_settings(order, STOPPED)
            changed = [words[1:] for words in server.said if words[:2] == ["CONFIG", "SET"]]
        assert before["attributes"]["masterauth_matches"] is False
        assert after["attributes"] == {
            "appendonly": "yes",
            "maxmemory-policy": "allkeys-lru",
            "masterauth_matches": True,
        }
        assert changed == [["SET", "appendonly", "yes"], ["SET", "masterauth", PASSWORD]]
        assert ["CONFIG", "REWRITE"] in server.said
        assert PASSWORD not in json.dumps([before, after])


class TestPassword:
    @pytest.fixture
    def daemon(self) -> Doorkeeper:
        return Doorkeeper({"requirepass": FORMER})

    def order(self, port: int, password: str, former: str = "") -> dict[str, Any]:
        place = {"address": LOCAL, "port": port, "name": "default"}
        return {**place, "password": password, "former": former, "file": ""}

    def test_both_are_taken_and_then_one_and_no_clear_text_travels_before_the_last(
        self, daemon: Doorkeeper
    ) -> None:
        daemon.taken = [digest(FORMER)]
        with fake_redis(daemon, FORMER) as server:
            both = self.order(server.port, PASSWORD, FORMER)
            before = password_kind.read_redis_password(both, STOPPED)
            password_kind.write_redis_password(both, STOPPED)
            said = [words for words in server.said if words[0] != "AUTH"]
            after = password_kind.read_redis_password(both, STOPPED)
        assert before["attributes"] == {"taken": ["the former one"], "requirepass_matches": False}
        assert after["attributes"]["taken"] == ["ours", "the former one"]
        assert daemon.values["requirepass"] == FORMER
        assert PASSWORD not in json.dumps([said, before, after])
        with fake_redis(daemon, PASSWORD) as server:
            alone = self.order(server.port, PASSWORD)
            found = password_kind.read_redis_password(alone, STOPPED)["attributes"]
            password_kind.write_redis_password(alone, STOPPED)
            last = password_kind.read_redis_password(alone, STOPPED)["attributes"]
        assert found == {"taken": ["another one", "ours"], "requirepass_matches": False}
        assert last == {"taken": ["ours"], "requirepass_matches": True}
        assert ["CONFIG", "REWRITE"] in server.said

    def test_a_redis_that_lost_its_password_gets_it_back(self, daemon: Doorkeeper) -> None:
        daemon.values["requirepass"], daemon.nopass = "", True
        with fake_redis(daemon) as server:
            order = self.order(server.port, PASSWORD)
            found = password_kind.read_redis_password(order, STOPPED)["attributes"]
            password_kind.write_redis_password(order, STOPPED)
        assert found == {"taken": ["none is asked for"], "requirepass_matches": False}
        assert (daemon.taken, daemon.nopass) == ([digest(PASSWORD)], False)


class TestMonitor:
    def order(self, port: int, runtime: Path, master: str = "") -> dict[str, Any]:
        wanted = {"down-after-milliseconds": "5000", "parallel-syncs": "1"}
        place = {"address": LOCAL, "port": 6379, "sentinel_port": port, "password": PASSWORD}
        more = {"quorum": "2", "announce": LOCAL, "master_address": master}
        name = {"name": "kb-redis-master", "runtime": str(runtime)}
        return {**name, **place, **more, "keys": list(wanted), "settings": wanted}

    def test_static_keys_are_set_through_sentinel_and_the_master_is_never_chosen(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "sentinel.conf"
        path.write_text(f"sentinel auth-pass kb-redis-master {PASSWORD}\n")
        daemon = Daemon({"ip": "10.0.0.125", "quorum": "3", "down-after-milliseconds": "30000"})
        with fake_redis(daemon) as server:
            order = self.order(server.port, path, "10.0.0.123")
            before = sentinel_kind.read_sentinel_monitor(order, STOPPED)["attributes"]
            sentinel_kind.write_sentinel_monitor(order, STOPPED)
            after = sentinel_kind.read_sentinel_monitor(order, STOPPED)["attributes"]
            said = {words[1] for words in server.said}
        assert before["auth_pass_matches"] is True
        assert (before["quorum"], after["quorum"]) == ("3", "2")
        assert after["down-after-milliseconds"] == "5000"
        assert daemon.values["ip"] == "10.0.0.125"
        assert not said & {"MONITOR", "FAILOVER", "REMOVE", "RESET"}
        assert PASSWORD not in json.dumps([before, after])

    def test_another_password_in_sentinels_file_is_drift_and_mended(self, tmp_path: Path) -> None:
        path = tmp_path / "sentinel.conf"
        path.write_text("sentinel auth-pass kb-redis-master old\n")
        daemon = Daemon({"quorum": "2"})
        with fake_redis(daemon) as server:
            order = self.order(server.port, path)
            found = sentinel_kind.read_sentinel_monitor(order, STOPPED)["attributes"]
            sentinel_kind.write_sentinel_monitor(order, STOPPED)
        assert found["auth_pass_matches"] is False
        assert daemon.values["auth-pass"] == PASSWORD

    def test_one_that_knows_no_such_master_is_told_or_left_alone(self, tmp_path: Path) -> None:
        daemon = Daemon({})
        with fake_redis(daemon) as server:
            order = self.order(server.port, tmp_path / "none")
            assert not sentinel_kind.read_sentinel_monitor(order, STOPPED)["present"]
            with pytest.raises(AgentError, match="the order does not say who"):
                sentinel_kind.write_sentinel_monitor(order, STOPPED)
            assert daemon.values == {}
            told = self.order(server.port, tmp_path / "none", "10.0.0.124")
            sentinel_kind.write_sentinel_monitor(told, STOPPED)
        assert daemon.values["ip"] == "10.0.0.124"


class TestHandOver:
    def test_writes_pause_until_this_node_follows_the_one_that_sentinel_chose(self) -> None:
        world = Replicated(900, "10.0.0.125")
        world.hand_over()
        assert world.words == [
            "INFO replication",
            "SENTINEL REPLICAS",
            "CLIENT PAUSE",
            "INFO replication",
            "SENTINEL FAILOVER",
            "SENTINEL MASTER",
            "REPLICAOF 10.0.0.125",
            "CONFIG REWRITE",
            "CLIENT UNPAUSE",
            "CLIENT KILL",
        ]

    def test_no_write_waits_until_sentinel_knows_the_ranks_of_now(self) -> None:
        """It asks for them every 10 s: right after replica-priority was set back it said NOGOODSLAVE."""
        world = Replicated(900, "10.0.0.125")
        world.known = ["0", "0", "100"]
        world.hand_over()
        asked = ["INFO replication", "SENTINEL REPLICAS"] * 3
        assert world.words[:7] == [*asked, "CLIENT PAUSE"]

    @pytest.mark.parametrize(
        ("rank", "known", "flags", "said"),
        [
            ("100", "0", "slave", "has replica-priority 100, and Sentinel knows 0 of it"),
            ("0", "100", "slave", "has replica-priority 0, and Sentinel knows 100 of it"),
            ("0", "0", "slave", "would promote no replica"),
            ("100", "100", "s_down,slave", "would promote no replica"),
        ],
    )
    def test_without_an_heir_no_write_waits(
        self, monkeypatch: pytest.MonkeyPatch, rank: str, known: str, flags: str, said: str
    ) -> None:
        monkeypatch.setattr(kind, "_KNOWN", 0.3)
        world = Replicated(900, "10.0.0.125")
        world.rank, world.known, world.flags = rank, [known], flags
        with pytest.raises(AgentError, match=said):
            world.hand_over()
        assert not {"CLIENT PAUSE", "SENTINEL FAILOVER"} & set(world.words)

    def test_the_named_replica_is_ranked_first_and_gets_its_rank_back(self) -> None:
        """Sentinel takes no name: it promotes by rank, and lets the new master write its file."""
        world = Replicated(900, "127.0.0.2", heir="127.0.0.2")
        world.known = ["100", "1"]
        world.hand_over()
        assert world.ranks == ["1", "100", "file"]
        assert world.words.index("SENTINEL FAILOVER") > world.words.index("CLIENT PAUSE")
        assert world.words[:4] == ["INFO replication", "SENTINEL REPLICAS"] * 2, "it is asked again"

    def test_the_named_replica_gets_its_rank_back_when_nothing_is_handed_over(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kind, "_KNOWN", 0.3)
        world = Replicated(900, "127.0.0.2", heir="127.0.0.2")
        world.known, world.flags = ["1"], "s_down,slave"
        with pytest.raises(AgentError, match=r"would not promote 127\.0\.0\.2"):
            world.hand_over()
        assert world.ranks == ["1", "100", "file"]
        assert "CLIENT PAUSE" not in world.words

    def test_a_named_replica_that_is_never_promoted_is_refused(self) -> None:
        world = Replicated(900, "127.0.0.2", heir="127.0.0.2")
        world.rank = "0"
        with pytest.raises(AgentError, match="Sentinel never promotes it"):
            world.hand_over()
        assert (world.ranks, world.words) == ([], [])

    def test_nothing_is_handed_over_while_a_replica_is_behind(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kind, "_CATCH_UP", 0.2)
        world = Replicated(899, "10.0.0.125")
        with pytest.raises(AgentError, match="1 of 1 replicas do not catch up"):
            world.hand_over()
        assert not {"SENTINEL FAILOVER", "REPLICAOF 10.0.0.125"} & set(world.words)
        assert world.words[-1] == "CLIENT UNPAUSE"

    def test_a_sentinel_that_names_nobody_else_leaves_the_master_master(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kind, "_HAND_OVER", 0.3)
        world = Replicated(900, LOCAL)
        with pytest.raises(AgentError, match="names no other master"):
            world.hand_over()
        assert not any(words[0] == "REPLICAOF" for words in world.said)
        assert world.words[-1] == "CLIENT UNPAUSE"
