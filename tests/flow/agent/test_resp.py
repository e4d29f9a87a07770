"""The agent's Redis client and its reading, against daemons that answer right, wrong and not at all."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybuzz.agent.runtime.errors import AgentError
from tasks.redis.agent.look import answer_redis
from tasks.redis.agent.resp import Connection, DeniedError, RedisError, information, pairs
from tests.flow.servers.redis_server import FaultError, Reply, fake_redis, raw_server

LOCAL = "127.0.0.1"
PASSWORD = "PlantedNeedle-redis-1234"


class TestClient:
    @pytest.mark.parametrize(
        ("raw", "reply"),
        [
            (b"+OK\r\n", "OK"),
            (b":42\r\n", 42),
            (b"$5\r\na\r\nbc\r\n", "a\r\nbc"),
            (b"$-1\r\n", None),
            (b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", ["a", [1]]),
            (b"*0\r\n", []),
        ],
    )
    def test_every_kind_of_answer_is_understood_byte_by_byte(self, raw: bytes, reply: Any) -> None:
        blocks = [bytes([byte]) for byte in raw]
        with raw_server(blocks) as port, Connection(LOCAL, port) as connection:
            assert connection.call("ROLE") == reply

    def test_an_error_is_an_error(self) -> None:
        with (
            raw_server([b"-ERR unknown command\r\n"]) as port,
            Connection(LOCAL, port) as connection,
            pytest.raises(RedisError, match="ERR unknown command"),
        ):
            connection.call("ROLE")

    @pytest.mark.parametrize(
        ("raw", "said"),
        [
            (b"", "hung up before its answer was whole"),
            (b"$10\r\nabc", "hung up before its answer was whole"),
            (b"HTTP/1.0 400 Bad Request\r\n\r\n", "does not speak Redis's protocol"),
            (b"*1\r\n" * 20, "does not speak Redis's protocol"),
            (b"$x\r\n", "does not speak Redis's protocol"),
            (b"$9999999\r\n" + b"x" * (5 << 20), "never ends"),
        ],
    )
    def test_half_an_answer_or_another_program_is_no_answer(self, raw: bytes, said: str) -> None:
        with (
            raw_server([raw]) as port,
            Connection(LOCAL, port) as connection,
            pytest.raises(AgentError, match=said),
        ):
            connection.call("ROLE")

    def test_a_late_answer_has_a_deadline(self) -> None:
        slow = threading.Event()

        def never(words: list[str]) -> Reply:
            slow.wait(10)
            return "late"

        with fake_redis(never) as server, Connection(LOCAL, server.port) as connection:
            with pytest.raises(AgentError, match="did not come in time"):
                connection.call("ROLE", timeout=0.05)
            slow.set()

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.sampled_from([b"*", b"$", b":", b"-", b"+", b"1", b"9", b"\r\n", b"a"])))
    def test_no_bytes_make_it_raise_anything_else(self, pieces: list[bytes]) -> None:
        with raw_server([b"".join(pieces)]) as port, Connection(LOCAL, port) as connection:
            try:
                reply = connection.call("ROLE")
            except AgentError:
                return
            assert reply is None or isinstance(reply, str | int | list)

    def test_nobody_on_the_port_is_said_with_the_place(self) -> None:
        with fake_redis(lambda words: "x") as server:
            port = server.port
        with pytest.raises(AgentError, match=f"nothing answers on 127.0.0.1:{port}: "):
            Connection(LOCAL, port)

    def test_a_wrong_password_is_denied_and_one_that_is_not_asked_for_is_let_in(self) -> None:
        with (
            fake_redis(lambda words: "x", "another-password") as server,
            pytest.raises(DeniedError, match="WRONGPASS") as error,
        ):
            Connection(LOCAL, server.port, PASSWORD)
        assert PASSWORD not in str(error.value)
        with (
            fake_redis(lambda words: "x") as server,
            Connection(LOCAL, server.port, PASSWORD) as connection,
        ):
            assert connection.call("ROLE") == "x"

    def test_answers_are_parsed_for_people_and_programs(self) -> None:
        assert pairs(["a", "1", "b", "2", "odd"]) == {"a": "1", "b": "2"}
        assert pairs("no list") == {}
        assert information("# Server\r\nrole:master\r\nslave0:ip=1,port=2\r\n\r\nno colon") == {
            "role": "master",
            "slave0": "ip=1,port=2",
        }


def query(
    port: int, *commands: tuple[str, ...], password: str = PASSWORD, former: str = ""
) -> dict[str, Any]:
    return {
        "address": LOCAL,
        "port": port,
        "password": password,
        "former": former,
        "commands": [list(words) for words in commands],
    }


class TestReading:
    def test_it_answers_parsed_json_without_the_password(self) -> None:
        def daemon(words: list[str]) -> Reply:
            match words:
                case ["INFO", _]:
                    return "role:master\r\nconnected_slaves:2\r\n"
                case ["CONFIG", "GET", key]:
                    return [key, "yes"]
                case ["SENTINEL", "MASTERS"]:
                    return [["name", "kb-redis-master", "ip", "10.0.0.123"]]
            raise FaultError("NOQUORUM 1 usable")

        commands = (
            ("INFO", "replication"),
            ("CONFIG", "GET", "appendonly"),
            ("SENTINEL", "MASTERS"),
            ("SENTINEL", "CKQUORUM", "kb-redis-master"),
        )
        with fake_redis(daemon, PASSWORD) as server:
            found = answer_redis(query(server.port, *commands))
        assert found["denied"] == ""
        assert found["replies"] == {
            "INFO replication": {"role": "master", "connected_slaves": "2"},
            "CONFIG GET appendonly": {"appendonly": "yes"},
            "SENTINEL MASTERS": [{"name": "kb-redis-master", "ip": "10.0.0.123"}],
            "SENTINEL CKQUORUM kb-redis-master": {"error": "NOQUORUM 1 usable"},
        }
        assert PASSWORD not in json.dumps(found)

    @pytest.mark.parametrize(
        "words",
        [
            ("SET", "a", "b"),
            ("CONFIG", "GET", "requirepass"),
            ("CONFIG", "GET", "*"),
            ("CONFIG", "SET", "appendonly", "no"),
            ("SENTINEL", "FAILOVER", "kb-redis-master"),
            ("REPLICAOF", "NO", "ONE"),
            ("INFO",),
            ("KEYS", "*"),
        ],
    )
    def test_what_is_no_reading_is_not_even_sent(self, words: tuple[str, ...]) -> None:
        with fake_redis(lambda said: "x", PASSWORD) as server:
            with pytest.raises(AgentError, match="is no reading"):
                answer_redis(query(server.port, words))
            assert [said[0] for said in server.said] == ["AUTH"]

    def test_one_command_that_is_not_permitted_is_its_own_error_and_no_wrong_password(self) -> None:
        """As Redis 7 says it to a user whose rules have `-acl|list`."""

        def daemon(words: list[str]) -> Reply:
            if words[0] == "ACL":
                raise FaultError(
                    "NOPERM this user has no permissions to run the 'acl|list' command"
                )
            return "role:master\r\n"

        with fake_redis(daemon, PASSWORD) as server:
            found = answer_redis(query(server.port, ("INFO", "replication"), ("ACL", "LIST")))
            alone = answer_redis(query(server.port, ("ACL", "LIST")))
        assert (found["denied"], found["replies"]["INFO replication"]) == ("", {"role": "master"})
        assert found["replies"]["ACL LIST"]["error"].startswith("NOPERM")
        assert (alone["denied"][:6], alone["replies"]) == ("NOPERM", {})

    @pytest.mark.parametrize("words", [("ACL", "LIST"), ("SENTINEL", "MASTERS")])
    def test_what_is_no_list_is_not_an_empty_one(self, words: tuple[str, ...]) -> None:
        with fake_redis(lambda said: "something else", PASSWORD) as server:
            found = answer_redis(query(server.port, words))
        assert found["replies"] == {" ".join(words): {"error": "the answer is no list"}}

    def test_another_password_is_an_answer_and_silence_is_a_problem(self) -> None:
        with fake_redis(lambda words: "x", "another-password") as server:
            found = answer_redis(query(server.port, ("ROLE",)))
            port = server.port
        assert found == {"denied": "WRONGPASS invalid pair", "replies": {}}
        with pytest.raises(AgentError, match="nothing answers"):
            answer_redis(query(port, ("ROLE",)))
