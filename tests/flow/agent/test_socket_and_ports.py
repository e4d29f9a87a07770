"""Readings of sockets and ports, and the statement after a login, against real sockets."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from keybuzz.agent.readings import udp_ports
from keybuzz.agent.readings.table import answer
from keybuzz.agent.readings.tcp_ports import find_ports, tally
from keybuzz.agent.runtime.context import Context
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.model.core.reading import SocketQuestion, TcpPorts
from keybuzz.model.core.secret import Secret
from tasks.patroni.agent.login import answer_postgres_login as attempt
from tasks.patroni.agent.postgres import verifier
from tasks.patroni.service.readings import PostgresLogin
from tests.flow.agent.test_postgres_login import PASSWORD, Postgres, answering, message


@contextmanager
def program(path: Path, talk: Callable[[socket.socket], None]) -> Iterator[None]:
    """Serve one question on a unix socket."""
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(10)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                talk(connection)

        thread = threading.Thread(target=serve, name="program")
        thread.start()
        yield
        thread.join(15)


def ask(path: Path, timeout: float = 3.0) -> dict[str, Any]:
    query = SocketQuestion("x", str(path), "show info", timeout).query()
    return answer(query, Context("aa" * 32, cast("Any", None)))  # it asks nothing of the session


def test_one_line_goes_in_and_everything_comes_out(tmp_path: Path) -> None:
    heard: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        heard.append(connection.recv(100))
        connection.sendall(b"Name: HAProxy\n" * 10_000)

    with program(tmp_path / "s", talk):
        assert ask(tmp_path / "s") == {"value": {"text": "Name: HAProxy\n" * 10_000}}
    assert heard == [b"show info\n"]


def test_nobody_there_silence_and_an_endless_answer_are_problems(tmp_path: Path) -> None:
    assert "No such file" in ask(tmp_path / "nobody")["problem"]
    done = threading.Event()
    with program(tmp_path / "silent", lambda connection: done.wait(5)):  # type: ignore[arg-type]  # its result is nobody's
        assert ask(tmp_path / "silent", 0.1)["problem"] == "the answer did not come in time"
        done.set()

    def endless(connection: socket.socket) -> None:
        block = b"x" * 65536
        try:
            while True:
                connection.sendall(block)
        except OSError:
            return

    with program(tmp_path / "endless", endless):
        assert "never ends" in ask(tmp_path / "endless")["problem"]


def test_listeners_and_connections_are_those_of_the_kernel() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as one, closing(_any_address()) as two:
        ports = (one.getsockname()[1], two.getsockname()[1])
        with closing(socket.create_connection(one.getsockname())):
            accepted, _ = one.accept()
            with accepted:
                found = find_ports(TcpPorts("x", ports).query(), tally())
    assert found["listeners"] == sorted([f"127.0.0.1:{ports[0]}", f"*:{ports[1]}"])
    assert found["connections"] == {str(ports[0]): 1, str(ports[1]): 0}


def _any_address() -> socket.socket:
    return socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)


def test_a_host_without_ipv6_has_listeners_too(tmp_path: Path) -> None:
    table = tmp_path / "tcp"
    rest = "00000000:00000000 00:00000000 00000000    99        0 1 1 0 100 0 0 10 0"
    table.write_text(
        "  sl  local_address rem_address   st tx_queue rx_queue\n"
        f"   0: 00000000:1538 00000000:0000 0A {rest}\n"
        f"   1: 0A00000A:1920 00000000:0000 0A {rest}\n"
        f"   2: 0B00000A:1538 FA00000A:C001 01 {rest}\n"
    )
    query = TcpPorts("x", (5432, 6432)).query()
    found = find_ports(query, tally((str(table), str(tmp_path / "tcp6"))))
    assert found == {
        "listeners": ["0.0.0.0:5432", "10.0.0.10:6432"],
        "connections": {"5432": 1, "6432": 0},
    }


def login(port: int, statement: str) -> dict[str, object]:
    secret = Secret("P", PASSWORD)
    found = PostgresLogin(
        "login", "127.0.0.1", "kb_app", secret, "kb", port=port, timeout=5, statement=statement
    )
    return attempt(found.query())


class Database(Postgres):
    """The same server, which then answers one statement."""

    def __init__(self, *answers: bytes) -> None:
        super().__init__(verifier(PASSWORD))
        self.answers = answers
        self.statement = b""

    def _read(self, connection: socket.socket) -> bytes:
        return super()._read(connection)

    def talk(self, connection: socket.socket) -> None:
        super().talk(_Held(connection))  # type: ignore[arg-type]  # everything that talk uses
        connection.sendall(message(b"S", b"x\0y\0") + message(b"Z", b"I"))
        self.statement = self._read(connection)
        connection.sendall(b"".join(self.answers))
        connection.recv(16)


class _Held:
    """A connection whose last read, for the client's goodbye, is not done yet."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.sendall = connection.sendall

    def recv(self, size: int) -> bytes:
        return b"" if size == 16 else self._connection.recv(size)


def row(*values: str | None) -> bytes:
    columns = b"".join(
        struct.pack(">i", -1) if v is None else struct.pack(">i", len(v)) + v.encode()
        for v in values
    )
    return message(b"D", struct.pack(">H", len(values)) + columns)


def test_the_first_row_of_a_statement_comes_back_as_texts() -> None:
    end = message(b"C", b"SELECT 2\0") + message(b"Z", b"I")
    server = Database(message(b"T", b"\0\0"), row("f", "742", None), row("t"), end)
    with answering(server.talk) as port:
        found = login(port, "select pg_is_in_recovery(), pg_backend_pid(), null")
    assert found == {"accepted": True, "reason": "", "row": ["f", "742", ""]}
    asked = b"BEGIN READ ONLY; select pg_is_in_recovery(), pg_backend_pid(), null; COMMIT\0"
    assert server.statement == asked


def test_a_statement_that_fails_is_a_problem_in_the_servers_own_words() -> None:
    refusal = b"SERROR\0C25006\0Mcannot assign TransactionIds during recovery\0\0"
    server = Database(message(b"E", refusal), message(b"Z", b"I"))
    with answering(server.talk) as port, pytest.raises(AgentError, match="during recovery"):
        login(port, "select pg_backend_pid()")


def test_a_broken_row_is_no_row() -> None:
    server = Database(message(b"D", b"\0\x05\0"), message(b"Z", b"I"))
    with answering(server.talk) as port, pytest.raises(AgentError, match="does not speak"):
        login(port, "select 1")


def test_a_server_of_datagrams_is_found_and_a_program_that_asks_is_not(tmp_path: Path) -> None:
    """The one has a port of its own, the other one of the range that the kernel takes from."""
    ephemeral = tmp_path / "range"
    with (
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as v4,
        closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as v6,
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as asks,
    ):
        v4.bind(("127.0.0.1", 0))
        v6.bind(("::1", 0))
        asks.bind(("127.0.0.1", 0))
        asks.connect(v4.getsockname())
        ports = {v4.getsockname()[1], v6.getsockname()[1], asks.getsockname()[1]}

        def found(lowest: int) -> set[tuple[str, int]]:
            ephemeral.write_text(f"{lowest}\t{lowest + 1}\n")
            sockets = udp_ports.servers(ephemeral=str(ephemeral))
            return {(address, port) for address, port, _ in sockets if port in ports}

        served = {("127.0.0.1", v4.getsockname()[1]), ("[::1]", v6.getsockname()[1])}
        assert found(1) == served
        assert ("127.0.0.1", v4.getsockname()[1]) not in found(v4.getsockname()[1])
