"""Real receivers on loopback: a mail server that speaks SMTP, and a web server that takes JSON."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Post:
    """What came, and what is answered."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    login: str = ""
    """The words of AUTH that are right."""
    logins: list[str] = field(default_factory=list)
    takers: list[str] = field(default_factory=list)
    posted: list[tuple[str, Any]] = field(default_factory=list)
    refuses: str = ""
    """What a mail server says to DATA instead of taking it, such as `451 later`."""
    no_mail_for: str = ""
    """An address that a mail server refuses."""
    status: int = 200


class MailBox(socketserver.ThreadingTCPServer):
    """A mail server, and what came."""

    def __init__(self, post: Post) -> None:
        super().__init__(("127.0.0.1", 0), Talk)
        self.post = post


class Talk(socketserver.StreamRequestHandler):
    """One connection to it."""

    server: MailBox

    def handle(self) -> None:
        with suppress(ConnectionError):  # a client may go without a word
            self.say("220 mail.example.org ESMTP")
            while line := self.rfile.readline():
                word, _, rest = line.decode().strip().partition(" ")
                self.say(self.answer(word.upper(), rest))
                if word.upper() == "QUIT":
                    return

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def answer(self, word: str, rest: str) -> str:
        post = self.server.post
        if word == "EHLO":
            return "250-mail.example.org\r\n250 AUTH PLAIN"
        if word == "AUTH":
            post.logins.append(rest)
            return "235 welcome" if rest == post.login else "535 no: PLAIN " + rest
        if word == "RCPT":
            if post.no_mail_for and post.no_mail_for in rest:
                return "550 no such user"
            post.takers.append(rest)
        if word == "DATA":
            return post.refuses or self.take()
        return "221 bye" if word == "QUIT" else "250 ok"

    def take(self) -> str:
        self.say("354 go on")
        lines: list[bytes] = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        mail = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.server.post.mails.append(mail)
        return "250 taken"


@contextmanager
def mail_server() -> Iterator[Post]:
    """Run a mail server that takes every mail."""
    post = Post()
    yield from _running(MailBox(post), post)


@contextmanager
def web_server() -> Iterator[Post]:
    """Run a web server that keeps every JSON that is posted to it."""
    post = Post()

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            post.posted.append((self.path, json.loads(body)))
            self.send_response(post.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *words: object) -> None:
            del format, words

    yield from _running(ThreadingHTTPServer(("127.0.0.1", 0), Taker), post)


@dataclass
class Slow:
    """A receiver that answers one byte at a time, and never to its end."""

    port: int = 0
    asked: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def slow_server() -> Iterator[Slow]:
    """Run one: no single read of it takes long."""
    slow = Slow()

    class Dripping(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            slow.asked.set()
            with suppress(OSError):
                while not slow.over.wait(0.02):
                    self.request.sendall(b"2")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dripping)
    slow.port = int(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield slow
    finally:
        slow.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _running(server: socketserver.BaseServer, post: Post) -> Iterator[Post]:
    assert isinstance(server, socketserver.TCPServer)
    post.port = int(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield post
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
