"""A server that speaks MySQL's protocol as far as a login and text results go."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

SALT = b"abcdefgh" + b"ijklmnopqrst"
_POLL = 0.1
"""Seconds after which the server looks whether it shall end."""
Rows = list[tuple[str | None, ...]]


class FaultError(Exception):
    """An error that the server answers a statement with: its number and its text."""


def sized(text: str | None) -> bytes:
    """Return a text as it stands in a row."""
    if text is None:
        return b"\xfb"
    data = text.encode()
    if len(data) < 251:
        return bytes([len(data)]) + data
    return b"\xfc" + len(data).to_bytes(2, "little") + data


def packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


def fault(number: int, errno: int, text: str, state: str = "HY000") -> bytes:
    return packet(number, b"\xff" + errno.to_bytes(2, "little") + f"#{state}{text}".encode())


def greeting() -> bytes:
    parts = (
        b"\x0a10.11.6-MariaDB\0",
        b"\x07\0\0\0",
        SALT[:8],
        b"\0\xff\xf7\x2d\x02\0\xff\x81\x15",
        bytes(10),
        SALT[8:],
        b"\0mysql_native_password\0",
    )
    return packet(0, b"".join(parts))


def result(rows: Rows) -> bytes:
    """Return the packets of a text result."""
    width = len(rows[0]) if rows else 1
    parts = [packet(1, bytes([width]))]
    number = 2
    for _ in range(width):
        parts.append(packet(number, b"\x03def\0\0\0\x01c\0\x0c\x2d\0\0\0\0\0\xfd\0\0\0\0\0"))
        number += 1
    parts.append(packet(number, b"\xfe\0\0\x02\0"))
    for row in rows:
        number += 1
        parts.append(packet(number & 0xFF, b"".join(sized(text) for text in row)))
    parts.append(packet((number + 1) & 0xFF, b"\xfe\0\0\x02\0"))
    return b"".join(parts)


@dataclass
class FakeMysql:
    """Answers each statement by a function; lets in who proves the password of the user, as MariaDB does."""

    answer: Callable[[str], Rows | None]
    users: dict[str, str]
    switch: bytes = b""
    """Plugin that the server asks for instead, if any."""
    said: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    databases: list[str] = field(default_factory=list)
    port: int = 0
    address: str = "127.0.0.1"
    goodbyes: int = 0
    numbered: int = 0
    """What it gives to a row as AUTO_INCREMENT; 0 for a table without."""
    ended: threading.Event = field(default_factory=threading.Event)

    def serve(self, listener: socket.socket) -> None:
        listener.settimeout(_POLL)
        talks: list[threading.Thread] = []
        while not self.ended.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                talks.append(threading.Thread(target=self._serve_one, args=(connection,)))
                talks[-1].start()
        for talk in talks:
            talk.join()

    def _serve_one(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, EOFError):
            connection.settimeout(10)
            self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        connection.sendall(greeting())
        number, response = _read(connection)
        user, proof, database = _response(response)
        salt = SALT
        if self.switch:
            salt = SALT[::-1]
            connection.sendall(packet(number + 1, b"\xfe" + self.switch + b"\0" + salt + b"\0"))
            number, proof = _read(connection)
        if not self._known(user, proof, salt):
            connection.sendall(fault(number + 1, 1045, f"Access denied for user '{user}'@'x'"))
            return
        self.logins.append(user)
        self.databases.append(database)
        connection.sendall(packet(number + 1, b"\0\0\0\x02\0\0\0"))
        while True:  # until the client goes: its goodbye may come when the test is over
            _, payload = _read(connection)
            if payload[:1] == b"\x01":
                self.goodbyes += 1
                return
            self.said.append(payload[1:].decode())
            connection.sendall(self._reply(self.said[-1]))

    def _reply(self, statement: str) -> bytes:
        try:
            rows = self.answer(statement)
        except FaultError as error:
            return fault(1, *error.args)
        done = bytes((0, 0, self.numbered)) + b"\x02\0\0\0"
        return packet(1, done) if rows is None else result(rows)

    def _known(self, user: str, proof: bytes, salt: bytes) -> bool:
        """Check a proof as a server does, which holds only the digest of a digest of the password."""
        if user not in self.users:
            return False
        stored = hashlib.sha1(hashlib.sha1(self.users[user].encode()).digest()).digest()
        mask = hashlib.sha1(salt + stored).digest()
        once = bytes(a ^ b for a, b in zip(proof, mask, strict=False))
        return hashlib.sha1(once).digest() == stored


def _read(connection: socket.socket) -> tuple[int, bytes]:
    head = _exactly(connection, 4)
    return head[3], _exactly(connection, int.from_bytes(head[:3], "little"))


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        block = connection.recv(size - len(data))
        if not block:
            raise EOFError
        data += block
    return data


def _response(payload: bytes) -> tuple[str, bytes, str]:
    """Return user, proof and database of a login."""
    abilities = int.from_bytes(payload[:4], "little")
    user, _, rest = payload[32:].partition(b"\0")
    proof, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
    database = rest.partition(b"\0")[0].decode() if abilities & 0x8 else ""
    return user.decode(), proof, database


@contextmanager
def fake_mysql(
    answer: Callable[[str], Rows | None],
    users: dict[str, str],
    switch: bytes = b"",
    address: str = "127.0.0.1",
) -> Iterator[FakeMysql]:
    """Give a server on a loopback address."""
    server = FakeMysql(answer, users, switch, address=address)
    with socket.create_server((address, 0)) as listener:
        server.port = listener.getsockname()[1]
        thread = threading.Thread(target=server.serve, args=(listener,))
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            thread.join()
