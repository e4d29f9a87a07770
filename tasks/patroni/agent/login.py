"""A real login to PostgreSQL by SCRAM-SHA-256: proof that a password is the one, without any program that gets it.

psql would want the password in its environment or in a file. This speaks the protocol itself, up to the answer.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import struct
import sys
import time

from keybuzz.agent.guard.questions import READ_ONLY
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PROTOCOL = 196608
_MECHANISM = b"SCRAM-SHA-256"
_OK, _SASL, _SASL_CONTINUE, _SASL_FINAL = 0, 10, 11, 12
_LARGEST = 1 << 16
_MOST_ITERATIONS = 1 << 20
_WRONG_PASSWORD = "28P01"


def answer_postgres_login(query: dict[str, Any]) -> dict[str, object]:
    """Return {"accepted": bool, "reason": str}; a server that asks for no password has proven nothing."""
    until = time.monotonic() + query["timeout"]
    with http.connect_tcp(query["address"], query["port"], query["timeout"]) as connection:
        return _Login(connection, until).run(query)


class _Login:
    """One connection, until the server says yes or no."""

    def __init__(self, connection: http.Connection, until: float) -> None:
        self._connection = connection
        self._until = until
        self._data = b""

    def run(self, query: dict[str, Any]) -> dict[str, object]:
        names = ["user", query["user"], "database", query["database"]]
        if query["replication"]:
            names += ["replication", "true"]
        startup = b"".join(name.encode() + b"\0" for name in names) + b"\0"
        self._connection.sendall(struct.pack(">II", len(startup) + 8, _PROTOCOL) + startup)
        code, mechanisms = self._authentication()
        if code == _OK:
            return {"accepted": False, "reason": "the server did not ask for a password"}
        if code != _SASL or _MECHANISM not in mechanisms.split(b"\0"):
            raise AgentError("the server asks for another kind of password than SCRAM-SHA-256")
        try:
            self._scram(query["password"])
        except _RefusedError as error:
            return {"accepted": False, "reason": error.what}
        answer: dict[str, object] = {"accepted": True, "reason": ""}
        if query["statement"]:
            answer["row"] = self._first_row(query["statement"])
        self._connection.sendall(b"X" + struct.pack(">I", 4))
        return answer

    def _first_row(self, statement: str) -> list[str]:
        """Ask with a SELECT and return its first row as texts; AgentError says why the server did not.

        In a transaction that only reads: no row is written, and no transaction id is taken.
        """
        self._until_ready()
        asked = f"{READ_ONLY} {statement}; COMMIT"
        sys.audit("kbz.postgres", asked)
        text = asked.encode() + b"\0"
        self._connection.sendall(b"Q" + struct.pack(">I", len(text) + 4) + text)
        rows = self._until_ready()
        return rows[0] if rows else []

    def _until_ready(self) -> list[list[str]]:
        rows: list[list[str]] = []
        while True:
            kind, payload = self._message()
            if kind == b"Z":
                return rows
            if kind == b"D":
                rows.append(_texts(payload))
            elif kind == b"E":
                raise AgentError(_fields_of_error(payload)[0])

    def _scram(self, password: str) -> None:
        """Prove the password, and let the server prove that it has its verifier."""
        nonce = base64.b64encode(os.urandom(18))
        first = b"n=,r=" + nonce
        initial = b"n,," + first
        self._send(_MECHANISM + b"\0" + struct.pack(">I", len(initial)) + initial)
        challenge = self._expect(_SASL_CONTINUE)
        fields = _fields(challenge)
        theirs, salt, rounds = (fields.get(name, "") for name in "rsi")
        iterations = int(rounds) if rounds.isdecimal() else 0
        if not theirs.encode().startswith(nonce) or not 0 < iterations <= _MOST_ITERATIONS:
            raise AgentError("the server's challenge is not one of SCRAM")
        last = b"c=biws,r=" + theirs.encode()
        message = b",".join((first, challenge, last))
        salted = _salted(password, base64.b64decode(salt), iterations)
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._send(last + b",p=" + base64.b64encode(proof))
        answer = _fields(self._expect(_SASL_FINAL))
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        expected = base64.b64encode(hmac.digest(server_key, message, "sha256")).decode()
        if not hmac.compare_digest(answer.get("v", ""), expected):
            raise AgentError("the server does not know the password either: it is not the one")
        self._expect(_OK)

    def _send(self, data: bytes) -> None:
        self._connection.sendall(b"p" + struct.pack(">I", len(data) + 4) + data)

    def _expect(self, wanted: int) -> bytes:
        code, data = self._authentication()
        if code != wanted:
            raise AgentError(f"the server went on with {code} where {wanted} belongs")
        return data

    def _authentication(self) -> tuple[int, bytes]:
        kind, payload = self._message()
        if kind == b"E":
            raise _refusal(payload)
        if kind != b"R" or len(payload) < 4:
            raise AgentError("what answers does not speak PostgreSQL's protocol")
        return struct.unpack(">I", payload[:4])[0], payload[4:]

    def _message(self) -> tuple[bytes, bytes]:
        head = self._exactly(5)
        size = struct.unpack(">I", head[1:])[0] - 4
        if not 0 <= size <= _LARGEST:
            raise AgentError("what answers does not speak PostgreSQL's protocol")
        return head[:1], self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        while len(self._data) < size:
            block = http.receive(self._connection, self._until)
            if not block:
                raise AgentError("the server hung up in the middle of the login")
            self._data += block
        found, self._data = self._data[:size], self._data[size:]
        return found


class _RefusedError(Exception):
    """The password is not the one."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def _refusal(payload: bytes) -> Exception:
    what, code = _fields_of_error(payload)
    return _RefusedError(what) if code == _WRONG_PASSWORD else AgentError(what)


def _fields_of_error(payload: bytes) -> tuple[str, str]:
    """Return what the server says, and its code."""
    found = {part[:1]: part[1:].decode("utf-8", "replace") for part in payload.split(b"\0") if part}
    return found.get(b"M", "the server refused without a word"), found.get(b"C", "")


def _texts(payload: bytes) -> list[str]:
    """Return the columns of a row; a null is an empty text."""
    try:
        (count,) = struct.unpack(">H", payload[:2])
        position, texts = 2, []
        for _ in range(count):
            (size,) = struct.unpack(">i", payload[position : position + 4])
            position += 4
            texts.append(payload[position : position + max(size, 0)].decode("utf-8", "replace"))
            position += max(size, 0)
    except struct.error:
        raise AgentError("what answers does not speak PostgreSQL's protocol") from None
    return texts


def _fields(message: bytes) -> dict[str, str]:
    parts = (part.partition("=") for part in message.decode("ascii", "replace").split(","))
    return {name: value for name, _, value in parts}


def _salted(password: str, salt: bytes, iterations: int) -> bytes:
    if not password.isascii():
        from tasks.patroni.agent.saslprep import saslprep

        password = saslprep(password)
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
