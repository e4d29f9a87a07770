"""A server that speaks Redis's protocol, or anything else that a test wants to send."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_POLL = 0.1
"""Seconds after which the server looks whether it shall end."""
Reply = str | int | list["Reply"] | None


class FaultError(Exception):
    """An error that the daemon answers with."""


@dataclass
class FakeRedis:
    """Answers each command by a function; remembers what was said, and lets in who knows the password."""

    answer: Callable[[list[str]], Reply]
    password: str = ""
    said: list[list[str]] = field(default_factory=list)
    port: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def serve(self, listener: socket.socket) -> None:
        listener.settimeout(_POLL)
        while not self.ended.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        inside = not self.password
        stream = connection.makefile("rb")
        while words := _command(stream.readline, stream.read):
            self.said.append(words)
            if words[0] == "AUTH":
                reply = self._authenticate(words[1])
                inside = inside or reply == b"+OK\r\n"
            else:
                reply = self._reply(words) if inside else b"-NOAUTH Authentication required.\r\n"
            connection.sendall(reply)

    def _authenticate(self, word: str) -> bytes:
        if not self.password:
            return b"-ERR AUTH <password> called without any password configured.\r\n"
        return b"+OK\r\n" if word == self.password else b"-WRONGPASS invalid pair\r\n"

    def _reply(self, words: list[str]) -> bytes:
        try:
            return encoded(self.answer(words))
        except FaultError as fault:
            return f"-{fault}\r\n".encode()


def _command(line: Callable[[], bytes], read: Callable[[int], bytes]) -> list[str]:
    head = line()
    words = []
    for _ in range(int(head[1:]) if head else 0):
        size = int(line()[1:])
        words.append(read(size + 2)[:-2].decode())
    return words


def encoded(reply: Reply) -> bytes:
    """Return a reply as it travels."""
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, str):
        data = reply.encode()
        return b"$%d\r\n%b\r\n" % (len(data), data)
    return b"*%d\r\n" % len(reply) + b"".join(encoded(item) for item in reply)


@contextmanager
def fake_redis(
    answer: Callable[[list[str]], Reply],
    password: str = "",
    address: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[FakeRedis]:
    """Give a daemon on a loopback address."""
    server = FakeRedis(answer, password)
    with socket.create_server((address, port)) as listener:
        server.port = listener.getsockname()[1]
        thread = threading.Thread(target=server.serve, args=(listener,))
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            thread.join()


@contextmanager
def raw_server(blocks: list[bytes]) -> Iterator[int]:
    """Give the port of a server that sends these blocks to one client, whatever it says, and hangs up."""

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                for block in blocks:
                    connection.sendall(block)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()
