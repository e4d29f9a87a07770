"""MySQL's protocol, both sides: packets, mysql_native_password, text results."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from typing import Any

ABILITIES = 0x1 | 0x4 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x10000 | 0x20000 | 0x80000
"""Found rows, with database, protocol 4.1, transactions, native passwords, several statements, plugins; no TLS."""
NATIVE = b"mysql_native_password"
IN_TRANSACTION, AUTOCOMMIT, MORE = 0x1, 0x2, 0x8


class LostError(Exception):
    """The other end hung up."""


class LateError(LostError):
    """The other side is there, and has said nothing in time."""


class RefusedError(Exception):
    """An error packet: number and text."""

    def __init__(self, number: int, text: str, state: str = "HY000") -> None:
        super().__init__(text)
        self.number, self.text, self.state = number, text, state

    def packet(self) -> bytes:
        """Return the packet that says it."""
        return b"\xff" + self.number.to_bytes(2, "little") + f"#{self.state}{self.text}".encode()


class Wire:
    """Packets over one socket."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.sequence = 0
        self._file = connection.makefile("rb")

    def read(self) -> bytes:
        """Return the next payload."""
        whole = b""
        while True:
            head = self._exactly(4)
            size = int.from_bytes(head[:3], "little")
            self.sequence = (head[3] + 1) & 0xFF
            whole += self._exactly(size)
            if size < 0xFFFFFF:
                return whole

    def _exactly(self, size: int) -> bytes:
        try:
            found = self._file.read(size)
        except TimeoutError as error:
            raise LateError(str(error)) from None
        except OSError as error:
            raise LostError(str(error)) from None
        if found is None or len(found) < size:
            raise LostError("hung up")
        return found

    def write(self, payload: bytes) -> None:
        """Send one payload."""
        try:
            while True:
                part, payload = payload[:0xFFFFFF], payload[0xFFFFFF:]
                self.socket.sendall(len(part).to_bytes(3, "little") + bytes([self.sequence]) + part)
                self.sequence = (self.sequence + 1) & 0xFF
                if len(part) < 0xFFFFFF:
                    return
        except TimeoutError as error:
            raise LateError(str(error)) from None
        except OSError as error:
            raise LostError(str(error)) from None

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def ok(rows: int = 0, status: int = AUTOCOMMIT) -> bytes:
    """Return an OK packet."""
    return b"\x00" + number(rows) + b"\x00" + status.to_bytes(2, "little") + b"\0\0"


def number(value: int) -> bytes:
    """Return a number with its own length."""
    if value < 0xFB:
        return bytes([value])
    return (
        b"\xfc" + value.to_bytes(2, "little")
        if value < 0x10000
        else b"\xfe" + value.to_bytes(8, "little")
    )


def text(value: Any) -> bytes:
    """Return a text with its length; NULL for None."""
    if value is None:
        return b"\xfb"
    data = str(value).encode()
    return number(len(data)) + data


def result(wire: Wire, names: list[str], rows: list[tuple[Any, ...]]) -> None:
    """Send a result whose columns are all texts."""
    eof = b"\xfe\0\0" + AUTOCOMMIT.to_bytes(2, "little")
    wire.write(number(len(names)))
    for name in names:
        head = text("def") + text("") + text("") + text("") + text(name) + text(name)
        wire.write(head + b"\x0c\x21\x00" + (1024).to_bytes(4, "little") + b"\xfd\0\0\0\0\0")
    wire.write(eof)
    for row in rows:
        wire.write(b"".join(text(value) for value in row))
    wire.write(eof)


def scramble(password: str, salt: bytes) -> bytes:
    """Return the proof of a password; a stored hash `*HEX40` can not prove itself to a backend here."""
    if not password:
        return b""
    once = hashlib.sha1(password.encode()).digest()
    mask = hashlib.sha1(salt + hashlib.sha1(once).digest()).digest()
    return bytes(a ^ b for a, b in zip(once, mask, strict=True))


class Client:
    """Who has said its name on one of our ports."""

    def __init__(self, wire: Wire, version: str) -> None:
        salt = bytes(byte % 94 + 33 for byte in os.urandom(20))
        self.wire, self.salt = wire, salt
        greeting = b"\x0a" + version.encode() + b"\0" + os.urandom(4) + salt[:8] + b"\0"
        greeting += (
            (ABILITIES & 0xFFFF).to_bytes(2, "little") + b"\x21" + AUTOCOMMIT.to_bytes(2, "little")
        )
        greeting += (
            (ABILITIES >> 16).to_bytes(2, "little")
            + b"\x15"
            + bytes(10)
            + salt[8:]
            + b"\0"
            + NATIVE
            + b"\0"
        )
        wire.write(greeting)
        answer = wire.read()
        self.abilities = int.from_bytes(answer[:4], "little") & ABILITIES
        self.charset = answer[8]
        self.user, rest = _name(answer[32:])
        self._proof, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
        self.database, rest = _name(rest) if self.abilities & 0x8 else ("", rest)
        if self.abilities & 0x80000 and _name(rest)[0].encode() != NATIVE:
            wire.write(b"\xfe" + NATIVE + b"\0" + salt + b"\0")
            self._proof = wire.read()

    def knows(self, password: str) -> bool:
        """Say whether the client proved this password."""
        return self._proof == scramble(password, self.salt)

    @property
    def denied(self) -> RefusedError:
        """What ProxySQL says to a wrong login."""
        address = self.wire.socket.getpeername()[0]
        using = "YES" if self._proof else "NO"
        what = f"ProxySQL Error: Access denied for user '{self.user}'@'{address}' (using password: {using})"
        return RefusedError(1045, what, "28000")


def _name(data: bytes) -> tuple[str, bytes]:
    name, _, rest = data.partition(b"\0")
    return name.decode(errors="replace"), rest


def connect(
    address: tuple[str, int], user: str, password: str, seconds: float, **more: Any
) -> Wire:
    """Return a logged-in connection to a backend; RefusedError, Lost or OSError."""
    wire = Wire(socket.create_connection(address, seconds))
    try:
        greeting = wire.read()
        if greeting[:1] == b"\xff":
            raise error_of(greeting)
        end = greeting.index(b"\0")
        salt = greeting[end + 5 : end + 13] + greeting[end + 32 : end + 44]
        database = more.get("database", "")
        abilities = more.get("abilities", ABILITIES) | 0x88200 | (0x8 if database else 0)
        abilities &= ~0 if database else ~0x8
        proof = scramble(password, salt)
        answer = (
            abilities.to_bytes(4, "little")
            + (1 << 24).to_bytes(4, "little")
            + bytes([more.get("charset", 45)])
        )
        answer += bytes(23) + user.encode() + b"\0" + bytes([len(proof)]) + proof
        wire.write(answer + (database.encode() + b"\0" if database else b"") + NATIVE + b"\0")
        said = wire.read()
        if said[:1] == b"\xfe":
            wire.write(scramble(password, said.split(b"\0", 1)[1][:20]))
            said = wire.read()
        if said[:1] == b"\xff":
            raise error_of(said)
    except BaseException:
        wire.close()
        raise
    return wire


def error_of(packet: bytes) -> RefusedError:
    """Return the error that a packet tells."""
    what = packet[3:].decode(errors="replace")
    state, what = (what[1:6], what[6:]) if what.startswith("#") else ("HY000", what)
    return RefusedError(int.from_bytes(packet[1:3], "little"), what, state)


def query(wire: Wire, statement: str) -> list[list[str | None]]:
    """Ask a backend; return the rows as texts."""
    wire.sequence = 0
    wire.write(b"\x03" + statement.encode())
    head = wire.read()
    if head[:1] == b"\xff":
        raise error_of(head)
    if head[:1] == b"\x00":
        return []
    for _ in range(head[0] + 1):
        wire.read()
    rows = []
    while (row := wire.read())[:1] != b"\xfe":
        rows.append(_row(row))
    return rows


def _row(data: bytes) -> list[str | None]:
    found: list[str | None] = []
    while data:
        size, data = data[0], data[1:]
        if size == 0xFB:
            found.append(None)
            continue
        found.append(data[:size].decode(errors="replace"))
        data = data[size:]
    return found
