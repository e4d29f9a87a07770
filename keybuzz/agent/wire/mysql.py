"""A small client of the protocol of MySQL: text results, one statement a call, no password in clear."""

from __future__ import annotations

import hashlib
import sys
import time

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, TypeAlias

    Row: TypeAlias = "tuple[str | None, ...]"

TIMEOUT = 5.0
"""Seconds for the whole login, and for each answer."""
LARGEST_ANSWER = 4 << 20
"""Bytes of one answer. Nothing that we ask for is longer."""
NATIVE = "mysql_native_password"
_DENIED = (1045, 1698)
_SHUT_OUT = (1040, 1129, 1130)
"""Too many connections, a host blocked after errors, and a host that no account is for."""
_LONG_PASSWORD, _WITH_DATABASE, _PROTOCOL_41, _TRANSACTIONS = 0x1, 0x8, 0x200, 0x2000
_SECURE, _PLUGIN = 0x8000, 0x80000
_UTF8MB4 = 45
_OK, _NULL, _EOF, _ERROR = 0x00, 0xFB, 0xFE, 0xFF
_QUIT, _QUERY = b"\x01", b"\x03"


class MysqlError(AgentError):
    """The server answered with an error: `errno` is its number, `what` its text."""

    def __init__(self, errno: int, what: str) -> None:
        super().__init__(what)
        self.errno = errno


class DeniedError(MysqlError):
    """The server is there and does not let us in with this user and password."""


class ShutOutError(MysqlError):
    """The server is there and takes no connection of this host now, whatever the password."""


class Connection:
    """One connection, logged in by mysql_native_password; a context manager that says goodbye.

    DeniedError when the password is not the one, ShutOutError when no password would do; AgentError when nothing
    answers, or something else does.
    """

    def __init__(
        self,
        address: str,
        port: int,
        user: str,
        password: str,
        database: str = "",
        timeout: float = TIMEOUT,
    ) -> None:
        self._where = f"{address}:{port}"
        self._timeout = timeout
        self._rest = b""
        self._sequence = 0
        self._begin(timeout)
        try:
            self._socket: http.Connection = http.connect_tcp(address, port, timeout)
        except OSError as error:
            reason = error.strerror or error
            raise AgentError(f"nothing answers on {self._where}: {reason}") from None
        try:
            self._login(user, password, database)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._sequence = 0
            self._send(_QUIT)
        except AgentError:
            pass  # it hung up first
        finally:
            self._socket.close()

    def query(self, statement: str, timeout: float | None = None) -> list[Row]:
        """Run one statement; return its rows as texts, none when it has no result. MysqlError says why not.

        `timeout` is in seconds for the whole answer, the connection's own when it is None.
        """
        sys.audit("kbz.mysql", statement)
        self._begin(self._timeout if timeout is None else timeout)
        self._sequence = 0
        self._send(_QUERY + statement.encode())
        head = self._answer()
        if head[:1] == bytes([_OK]):
            return []
        columns = _Fields(head, self._where).number()
        if not columns:
            raise self._foreign()  # also a request for a file of ours, which no server gets
        for _ in range(columns):
            self._answer()
        self._answer()
        rows: list[Row] = []
        while not _ends(row := self._answer()):
            fields = _Fields(row, self._where)
            rows.append(tuple(fields.text() for _ in range(columns)))
        return rows

    def _login(self, user: str, password: str, database: str) -> None:
        salt = self._greeting()
        abilities = _LONG_PASSWORD | _PROTOCOL_41 | _TRANSACTIONS | _SECURE | _PLUGIN
        abilities |= _WITH_DATABASE if database else 0
        proof = scramble(password, salt)
        response = [
            abilities.to_bytes(4, "little"),
            LARGEST_ANSWER.to_bytes(4, "little"),
            bytes([_UTF8MB4]) + bytes(23),
            user.encode() + b"\0",
            bytes([len(proof)]) + proof,
            database.encode() + b"\0" if database else b"",
            NATIVE.encode() + b"\0",
        ]
        self._send(b"".join(response))
        answer = self._answer()
        if answer[:1] == bytes([_EOF]):
            self._send(scramble(password, self._other_salt(answer)))
            answer = self._answer()
        if answer[:1] != bytes([_OK]):
            raise self._foreign()

    def _greeting(self) -> bytes:
        """Return the salt of the server's first packet."""
        greeting = self._answer()
        version_end = greeting.find(b"\0")
        if greeting[:1] != b"\x0a" or version_end < 0:
            raise self._foreign()
        first = greeting[version_end + 5 : version_end + 13]
        # Behind it: a filler, abilities, character set, status, abilities, length, and ten bytes of nothing.
        second = greeting[version_end + 32 : version_end + 44]
        if len(first + second) != 20:
            raise self._foreign()
        return first + second

    def _other_salt(self, answer: bytes) -> bytes:
        """Return the salt of a server that wants the password in another way, when it is ours all the same."""
        name, _, salt = answer[1:].partition(b"\0")
        if name.decode(errors="replace") != NATIVE:
            raise AgentError(
                f"{self._where} wants a login by {name.decode(errors='replace')[:60]}",
                f"give the user {NATIVE}: kbz sends no password in another way",
            )
        return salt[:20]

    def _begin(self, timeout: float) -> None:
        self._until = time.monotonic() + timeout
        self._left = LARGEST_ANSWER

    def _send(self, payload: bytes) -> None:
        head = len(payload).to_bytes(3, "little") + bytes([self._sequence])
        self._sequence = (self._sequence + 1) & 0xFF
        try:
            self._socket.settimeout(max(0.01, self._until - time.monotonic()))
            self._socket.sendall(head + payload)
        except OSError as error:
            raise http.BrokenConnectionError(
                f"{self._where} hung up: {error.strerror or error}"
            ) from None

    def _answer(self) -> bytes:
        """Return the next packet's payload; raise when it is the server's error."""
        head = self._exactly(4)
        size = int.from_bytes(head[:3], "little")
        if size == 0 or size > LARGEST_ANSWER:
            raise self._foreign()
        self._sequence = (head[3] + 1) & 0xFF
        payload = self._exactly(size)
        if payload[0] == _ERROR:
            raise _error(payload)
        return payload

    def _exactly(self, size: int) -> bytes:
        while len(self._rest) < size:
            block = http.receive(self._socket, self._until)
            if not block:
                raise http.BrokenConnectionError(
                    f"{self._where} hung up before its answer was whole"
                )
            self._left -= len(block)
            if self._left < 0:
                raise AgentError(f"the answer of {self._where} never ends")
            self._rest += block
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def _foreign(self) -> AgentError:
        return AgentError(f"what answers on {self._where} does not speak MySQL's protocol")


def enter(access: dict[str, Any], timeout: float = TIMEOUT) -> Connection:
    """Log in by the password, or by the former one where a rotation has not come yet."""
    place = (access["address"], access["port"], access["user"])
    try:
        return Connection(*place, access["password"], timeout=timeout)
    except DeniedError:
        if not access["former"]:
            raise
        return Connection(*place, access["former"], timeout=timeout)


class _Fields:
    """The fields of one packet, in order."""

    def __init__(self, payload: bytes, where: str) -> None:
        self._payload = payload
        self._place = 0
        self._where = where

    def number(self) -> int | None:
        """Return the next number with its own length; None for NULL."""
        first = self._take(1)[0]
        if first == _NULL:
            return None
        width = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first, 0)
        return int.from_bytes(self._take(width), "little") if width else first

    def text(self) -> str | None:
        """Return the next text; None for NULL."""
        size = self.number()
        return None if size is None else self._take(size).decode(errors="replace")

    def _take(self, size: int) -> bytes:
        found = self._payload[self._place : self._place + size]
        if len(found) != size:
            raise AgentError(f"what answers on {self._where} does not speak MySQL's protocol")
        self._place += size
        return found


def scramble(password: str, salt: bytes) -> bytes:
    """Return the proof of a password by mysql_native_password: it fits this salt only, and tells no password."""
    if not password:
        return b""
    once = _sha1(password.encode())
    mask = _sha1(salt + _sha1(once))
    return bytes(a ^ b for a, b in zip(once, mask, strict=True))


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()  # what the protocol wants


def _ends(payload: bytes) -> bool:
    return payload[0] == _EOF and len(payload) < 9


def _error(payload: bytes) -> MysqlError:
    errno = int.from_bytes(payload[1:3], "little")
    text = payload[3:].decode(errors="replace")
    what = text[6:] if text.startswith("#") else text
    if errno in _SHUT_OUT:
        return ShutOutError(errno, what)
    return DeniedError(errno, what) if errno in _DENIED else MysqlError(errno, what)


def stored(password: str) -> str:
    """Return what a server stores of a password with mysql_native_password."""
    once = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(once, usedforsecurity=False).hexdigest().upper()
