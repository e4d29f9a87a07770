"""The agent's MySQL client and its reading, against servers that answer right, wrong and not at all."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybuzz.agent.readings import table as readings
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.mysql import Connection, DeniedError, MysqlError, ShutOutError
from keybuzz.model.core.secret import Secret
from tasks.galera.agent.query import answer_mysql_query as answer
from tasks.galera.service.readings import MysqlQuery
from tests.flow.servers.mysql_server import FaultError, Rows, fake_mysql, fault, greeting, packet

LOCAL = "127.0.0.1"
PASSWORD = "PlantedNeedle-mysql-1234"
USERS = {"root": PASSWORD}
SHUT_OUT = [
    (1040, "Too many connections"),
    (1129, "Host '10.0.0.250' is blocked because of many connection errors"),
    (1130, "Host '10.0.0.250' is not allowed to connect to this MariaDB server"),
]


@contextmanager
def sending(*blocks: bytes) -> Iterator[int]:
    """Give the port of a server that sends a block, hears one, and so on, and hangs up."""

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                for block in blocks[:-1]:
                    connection.sendall(block)
                    connection.recv(1 << 16)
                connection.sendall(blocks[-1])
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):
                    pass

    with socket.create_server((LOCAL, 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


def connect(port: int, password: str = PASSWORD, **more: Any) -> Connection:
    return Connection(LOCAL, port, "root", password, **more)


def one(statement: str) -> Rows:
    return [("1",)]


class TestClient:
    def test_a_login_a_result_and_a_goodbye(self) -> None:
        long = "x" * 5000
        rows: Rows = [("a", None, "", "ü"), (long, "2", "3", "4")]
        with fake_mysql(lambda statement: rows, USERS) as server:
            with connect(server.port, database="erpnext") as connection:
                assert connection.query("SELECT 1") == rows
                assert connection.query("SELECT 2") == rows
            assert server.said == ["SELECT 1", "SELECT 2"]
        assert (server.logins, server.databases, server.goodbyes) == (["root"], ["erpnext"], 1)

    def test_a_statement_without_a_result_has_no_rows(self) -> None:
        with (
            fake_mysql(lambda statement: None, USERS) as server,
            connect(server.port) as connection,
        ):
            assert connection.query("FLUSH PRIVILEGES") == []

    def test_more_rows_than_packet_numbers(self) -> None:
        rows: Rows = [(str(number),) for number in range(600)]
        with fake_mysql(lambda statement: rows, USERS) as server, connect(server.port) as inside:
            assert inside.query("SELECT seq FROM seq_0_to_599") == rows

    def test_a_server_may_ask_for_the_login_again_with_another_salt(self) -> None:
        with (
            fake_mysql(one, USERS, b"mysql_native_password") as server,
            connect(server.port) as connection,
        ):
            assert connection.query("SELECT 1") == [("1",)]

    @pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"caching_sha2_password"])
    def test_a_password_is_never_sent_in_another_way(self, plugin: bytes) -> None:
        with (
            fake_mysql(one, USERS, plugin) as server,
            pytest.raises(AgentError, match=f"wants a login by {plugin.decode()}"),
        ):
            connect(server.port)

    def test_a_wrong_password_is_denied_without_it(self) -> None:
        with (
            fake_mysql(one, USERS) as server,
            pytest.raises(DeniedError, match="Access denied for user 'root'") as error,
        ):
            connect(server.port, "PlantedNeedle-wrong")
        assert error.value.errno == 1045
        assert "PlantedNeedle" not in str(error.value)

    def test_an_error_has_a_number_and_the_connection_lives_on(self) -> None:
        def daemon(statement: str) -> Rows:
            if "nowhere" in statement:
                raise FaultError(1146, "Table 'a.nowhere' doesn't exist")
            return [("1",)]

        with fake_mysql(daemon, USERS) as server, connect(server.port) as connection:
            with pytest.raises(MysqlError, match=r"^Table 'a.nowhere' doesn't exist$") as error:
                connection.query("SELECT * FROM a.nowhere")
            assert error.value.errno == 1146
            assert connection.query("SELECT 1") == [("1",)]

    def test_an_error_in_place_of_the_greeting(self) -> None:
        with (
            sending(fault(0, 1053, "Server shutdown in progress", "08S01")) as port,
            pytest.raises(MysqlError, match="Server shutdown") as error,
        ):
            connect(port)
        assert not isinstance(error.value, ShutOutError | DeniedError)

    @pytest.mark.parametrize(("errno", "text"), SHUT_OUT)
    def test_a_server_that_takes_no_connection_of_this_host_is_no_dead_server(
        self, errno: int, text: str
    ) -> None:
        with sending(fault(0, errno, text)) as port, pytest.raises(ShutOutError, match=text[:8]):
            connect(port)

    @pytest.mark.parametrize(
        ("blocks", "said"),
        [
            ((b"",), "hung up before its answer was whole"),
            ((greeting()[:30],), "hung up before its answer was whole"),
            ((b"HTTP/1.0 400 Bad Request\r\n\r\n",), "does not speak MySQL's protocol"),
            ((b"\0\0\0\0",), "does not speak MySQL's protocol"),
            ((packet(0, b"\x0a10.11\0short"),), "does not speak MySQL's protocol"),
            ((packet(0, b"\x09old"),), "does not speak MySQL's protocol"),
            ((greeting(), packet(2, b"\x07?")), "does not speak MySQL's protocol"),
        ],
    )
    def test_half_an_answer_or_another_program_is_no_server(
        self, blocks: tuple[bytes, ...], said: str
    ) -> None:
        with sending(*blocks) as port, pytest.raises(AgentError, match=said):
            connect(port)

    @pytest.mark.parametrize(
        ("reply", "said"),
        [
            (packet(1, b"\xfb/etc/shadow"), "does not speak MySQL's protocol"),
            (packet(1, b"\x01") + packet(2, b"c") + packet(3, b"\xfe\0\0\2\0"), "hung up"),
            (
                packet(1, b"\x01")
                + packet(2, b"c")
                + packet(3, b"\xfe\0\0\2\0")
                + packet(4, b"\x05abc"),
                "does not speak",
            ),
            (b"\xff\xff\xff\x01", "does not speak MySQL's protocol"),
        ],
    )
    def test_a_result_that_is_none(self, reply: bytes, said: str) -> None:
        """Also a server that asks for a file of ours in place of a result: it gets nothing."""
        with (
            sending(greeting(), packet(2, b"\0\0\0\2\0\0\0"), reply) as port,
            connect(port) as connection,
            pytest.raises(AgentError, match=said),
        ):
            connection.query("SELECT 1")

    def test_a_late_answer_has_a_deadline(self) -> None:
        slow = threading.Event()

        def never(statement: str) -> Rows:
            slow.wait(10)
            return []

        with fake_mysql(never, USERS) as server, connect(server.port) as connection:
            started = time.monotonic()
            with pytest.raises(AgentError, match="did not come in time"):
                connection.query("SELECT SLEEP(100)", timeout=0.05)
            assert time.monotonic() - started < 5
            slow.set()

    def test_nobody_on_the_port_is_said_with_the_place(self) -> None:
        with fake_mysql(one, USERS) as server:
            port = server.port
        with pytest.raises(AgentError, match=f"nothing answers on {LOCAL}:{port}: "):
            connect(port)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.binary(max_size=12), max_size=4), st.booleans())
    def test_no_bytes_make_it_raise_anything_else(self, pieces: list[bytes], inside: bool) -> None:
        payloads = [packet(number, piece) for number, piece in enumerate(pieces, 1)]
        first = (greeting(), packet(2, b"\0\0\0\2\0\0\0")) if inside else ()
        with (
            sending(*first, b"".join(payloads)) as port,
            suppress(AgentError),
            connect(port) as connection,
        ):
            assert isinstance(connection.query("SELECT 1"), list)


class TestReading:
    def test_it_answers_rows_without_the_password(self) -> None:
        def daemon(statement: str) -> Rows:
            if statement.startswith("SHOW"):
                return [("wsrep_ready", "ON"), ("wsrep_cluster_size", None)]
            raise FaultError(1146, "no such table")

        asked = MysqlQuery(
            "state",
            LOCAL,
            0,
            "root",
            Secret("P", PASSWORD),
            ("SHOW STATUS LIKE 'wsrep%'", "SELECT 1 FROM a"),
        )
        with fake_mysql(daemon, USERS) as server:
            found = readings.ask({**asked.query(), "port": server.port})
        assert found["value"] == {
            "denied": "",
            "rows": {
                "SHOW STATUS LIKE 'wsrep%'": [["wsrep_ready", "ON"], ["wsrep_cluster_size", None]],
                "SELECT 1 FROM a": {"error": "no such table"},
            },
        }
        assert PASSWORD not in json.dumps(found)
        assert PASSWORD not in repr(asked)

    @pytest.mark.parametrize(
        "statement",
        [
            "DROP TABLE a",
            "SET GLOBAL wsrep_on=OFF",
            "SELECT 1 INTO OUTFILE '/tmp/x'",
            "SELECT * FROM a FOR UPDATE",
            "LOAD MYSQL SERVERS TO RUNTIME",
            "",
        ],
    )
    def test_what_is_no_reading_is_not_even_sent(self, statement: str) -> None:
        with fake_mysql(one, USERS) as server:
            with pytest.raises(AgentError, match="is no reading"):
                answer(query(server.port, statement))
            assert server.said == []

    def test_another_password_is_an_answer_and_silence_is_a_problem(self) -> None:
        with fake_mysql(one, {"root": "another-password"}) as server:
            found = answer(query(server.port, "SELECT 1"))
            port = server.port
        assert found == {"denied": "Access denied for user 'root'@'x'", "rows": {}}
        assert "nothing answers" in readings.ask(query(port, "SELECT 1"))["problem"]

    @pytest.mark.parametrize(("errno", "text"), SHUT_OUT)
    def test_it_serves_and_refuses_us(self, errno: int, text: str) -> None:
        """It was taken for dead, so that a recovery would have stopped a node that serves."""
        with sending(fault(0, errno, text)) as port:
            assert answer(query(port, "SELECT 1")) == {"denied": text, "rows": {}}

    def test_without_statements_the_login_is_the_answer(self) -> None:
        with fake_mysql(one, USERS) as server:
            assert answer(query(server.port)) == {"denied": "", "rows": {}}
            assert server.logins == ["root"]


def query(port: int, *statements: str) -> dict[str, Any]:
    return MysqlQuery("state", LOCAL, port, "root", Secret("P", PASSWORD), statements).query()
