"""A login to PostgreSQL proves a password in both directions, and trusts no answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.model.core.secret import Secret
from tasks.patroni.agent import login as postgres_login
from tasks.patroni.agent.postgres import verifier
from tasks.patroni.service.readings import PostgresLogin

PASSWORD = "PlantedNeedle-1234567"


def message(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack(">I", len(payload) + 4) + payload


def authentication(code: int, data: bytes = b"") -> bytes:
    return message(b"R", struct.pack(">I", code) + data)


def refusal(code: str, words: str) -> bytes:
    return message(b"E", f"SFATAL\0C{code}\0M{words}\0\0".encode())


class Postgres:
    """The server's side of a SCRAM login, from a verifier as PostgreSQL stores it."""

    def __init__(self, stored: str) -> None:
        _, parameters, keys = stored.split("$")
        self.iterations, self.salt = parameters.split(":")
        self.stored_key, self.server_key = (base64.b64decode(key) for key in keys.split(":"))
        self.startup: list[str] = []

    def talk(self, connection: socket.socket) -> None:
        size = struct.unpack(">I", connection.recv(4))[0]
        self.startup = connection.recv(size - 4)[4:].decode().split("\0")
        connection.sendall(authentication(10, b"SCRAM-SHA-256\0\0"))
        first = self._read(connection).split(b"\0", 1)[1][4:].decode()
        bare = first.removeprefix("n,,")
        nonce = bare.partition("r=")[2] + "server"
        challenge = f"r={nonce},s={self.salt},i={self.iterations}"
        connection.sendall(authentication(11, challenge.encode()))
        last = self._read(connection).decode()
        without, _, proof = last.rpartition(",p=")
        said = ",".join((bare, challenge, without)).encode()
        signature = hmac.digest(self.stored_key, said, "sha256")
        key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature, strict=True))
        if hashlib.sha256(key).digest() != self.stored_key:
            connection.sendall(refusal("28P01", "password authentication failed for user"))
            return
        proven = base64.b64encode(hmac.digest(self.server_key, said, "sha256"))
        connection.sendall(authentication(12, b"v=" + proven) + authentication(0))
        connection.recv(16)

    def _read(self, connection: socket.socket) -> bytes:
        head = connection.recv(5)
        return connection.recv(struct.unpack(">I", head[1:])[0] - 4)


@contextmanager
def answering(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve one connection; yield the port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(10)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                talk(connection)

        thread = threading.Thread(target=serve, name="postgres")
        thread.start()
        yield listener.getsockname()[1]
        thread.join(15)


def attempt(port: int, password: str = PASSWORD, *, replication: bool = False) -> dict[str, object]:
    login = PostgresLogin(
        "login", "127.0.0.1", "kb_app", Secret("P", password), "kb", replication, port, 5
    )
    return postgres_login.answer_postgres_login(login.query())


@pytest.mark.parametrize(
    "password", [PASSWORD, "p\u00e4ssw\u00f6rd\u2168-1234567", "'\"$\\ =,;:1234"]
)
def test_the_right_password_is_accepted(password: str) -> None:
    server = Postgres(verifier(password))
    with answering(server.talk) as port:
        assert attempt(port, password) == {"accepted": True, "reason": ""}
    assert server.startup[:4] == ["user", "kb_app", "database", "kb"]
    assert "replication" not in server.startup


def test_a_standby_says_that_it_is_one() -> None:
    server = Postgres(verifier(PASSWORD))
    with answering(server.talk) as port:
        assert attempt(port, replication=True)["accepted"]
    assert server.startup[4:6] == ["replication", "true"]


def test_a_wrong_password_is_an_answer_without_it() -> None:
    with answering(Postgres(verifier("another-1234567890")).talk) as port:
        found = attempt(port)
    assert found["accepted"] is False
    assert "password authentication failed" in str(found["reason"])
    assert "PlantedNeedle" not in str(found)


def test_a_server_that_asks_for_nothing_has_proven_nothing() -> None:
    """pg_hba.conf with trust lets everybody in: that says nothing about a password."""
    with answering(lambda connection: connection.sendall(authentication(0))) as port:
        assert attempt(port) == {
            "accepted": False,
            "reason": "the server did not ask for a password",
        }


def test_a_server_that_only_says_yes_is_not_believed() -> None:
    server = Postgres(verifier(PASSWORD))
    server.server_key = b"x" * 32
    with answering(server.talk) as port, pytest.raises(AgentError, match="does not know"):
        attempt(port)


@pytest.mark.parametrize(
    "challenge", [b"", b"r=theirs,s=c2FsdA==,i=4096", b"r=,s=,i=-1", b"\xff", b"r=x,i=999999999999"]
)
def test_a_challenge_that_is_not_ours_gets_no_proof(challenge: bytes) -> None:
    after: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        connection.recv(1 << 12)
        connection.sendall(authentication(10, b"SCRAM-SHA-256\0\0"))
        connection.recv(1 << 12)
        connection.sendall(authentication(11, challenge))
        after.append(connection.recv(1 << 12))

    with answering(talk) as port, pytest.raises(AgentError, match="challenge"):
        attempt(port)
    assert after == [b""]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", "hung up"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak"),
        (authentication(3), "another kind of password"),
        (authentication(5, b"salt"), "another kind of password"),
        (refusal("57P03", "the database system is starting up"), "starting up"),
        (refusal("28000", "no pg_hba.conf entry"), "no pg_hba.conf entry"),
        (b"R" + struct.pack(">I", 1 << 30), "does not speak"),
    ],
)
def test_any_other_answer_is_a_problem_and_no_verdict(said: bytes, words: str) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(1 << 12)
        connection.sendall(said)

    with answering(talk) as port:
        with pytest.raises(AgentError, match=words) as caught:
            attempt(port)
        assert "PlantedNeedle" not in str(caught.value)
