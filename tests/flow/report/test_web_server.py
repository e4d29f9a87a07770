"""The server of `kbz serve` and clients that take too much: real sockets, short limits."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection

import pytest

from keybuzz.model.core.errors import KbzError
from keybuzz.report.web.address import DEFAULT, Address, parse_address
from keybuzz.report.web.answers import Answer, Request
from keybuzz.report.web.server import Limits, WebServer
from tests.flow.support.sshd import until

LIMITS = Limits(connections=4, seconds=1.0, head=2000)
LARGE = b"x" * (64 << 20)
"""More than the buffers of a socket take."""
FREE = parse_address("127.0.0.1:0")


def shown(request: Request) -> Answer:
    return Answer(HTTPStatus.OK, LARGE if request.target == "/large" else request.target.encode())


@contextmanager
def serving(address: Address = FREE, limits: Limits = LIMITS) -> Iterator[WebServer]:
    with WebServer(address, shown, limits) as server:
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serving() as made:
        yield made


def connect(server: WebServer) -> socket.socket:
    return socket.create_connection((str(server.address.ip), server.address.port), timeout=15)


def status(server: WebServer, target: str = "/") -> int:
    connection = HTTPConnection(str(server.address.ip), server.address.port, timeout=15)
    try:
        connection.request("GET", target)
        return connection.getresponse().status
    finally:
        connection.close()


def said(server: WebServer, data: bytes) -> bytes:
    """Send bytes, and return all that comes back until the server hangs up."""
    with connect(server) as client:
        client.sendall(data)
        return b"".join(iter(lambda: client.recv(1 << 16), b""))


def test_a_client_that_sends_ever_so_slowly_is_cut_off_and_nobody_waits_for_it(
    server: WebServer,
) -> None:
    began = time.monotonic()
    with connect(server) as slow:
        slow.settimeout(0.05)
        answered = 0
        ended = False
        while not ended:
            with suppress(OSError):  # it was cut off
                slow.sendall(b"X-Never: ends\r\n")
            answered += status(server) == HTTPStatus.OK
            with suppress(TimeoutError):
                try:
                    ended = slow.recv(1) == b""
                except ConnectionResetError:
                    ended = True
            assert time.monotonic() - began < 30
    assert time.monotonic() - began > LIMITS.seconds * 0.9
    assert answered > 2


def test_a_client_that_does_not_read_is_cut_off(server: WebServer) -> None:
    before = threading.active_count()
    with connect(server) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: threading.active_count() > before, "the answer to begin")
        until(lambda: threading.active_count() == before, "the answer to be given up")
        with suppress(ConnectionResetError):
            got = sum(map(len, iter(lambda: client.recv(1 << 20), b"")))
            assert got < len(LARGE)


def test_too_many_connections_are_refused_and_come_in_when_others_have_gone(
    server: WebServer,
) -> None:
    with ExitStack() as held:
        for _ in range(LIMITS.connections):
            held.enter_context(connect(server))
        with connect(server) as client:
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1" in answer
        head, _, body = answer.partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
    until(lambda: _good(server), "a place to be free")


def test_silent_connections_are_given_up_so_that_others_come_in(server: WebServer) -> None:
    with ExitStack() as held:
        for _ in range(LIMITS.connections):
            held.enter_context(connect(server))
        until(lambda: _good(server), "the silent ones to be cut off")


def _good(server: WebServer) -> bool:
    try:
        return status(server) == HTTPStatus.OK
    except ConnectionError:
        return False


def test_many_at_once_are_all_answered() -> None:
    with serving(limits=Limits(connections=40)) as server, ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: status(server), range(200)))
    assert found == [HTTPStatus.OK] * 200


@pytest.mark.parametrize(
    ("data", "first"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 4000 + b"\r\n\r\n", b"HTTP/1.1 431 "),
        (b"GET /" + b"y" * 300_000, b"HTTP/1.1 431 "),
        (b"GET / HTTP/1.1 x\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET / HTTP/x\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET / HTTP/2.0\r\n\r\n", b"HTTP/1.1 505 "),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n", b"HTTP/1.1 431 "),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET / HTTP/1.0\nHost: localhost\n\n", b"HTTP/1.1 200 "),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", b"HTTP/1.1 200 "),
        (b"GET / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", b"HTTP/1.1 200 "),
        (b"\r\n\r\n", b""),
    ],
)
def test_what_http_is_not_is_answered_in_one_sentence_or_not_at_all(
    server: WebServer, data: bytes, first: bytes
) -> None:
    found = said(server, data)
    assert found.startswith(first)
    assert b"Traceback" not in found
    assert b"Python" not in found
    assert status(server) == HTTPStatus.OK


def test_a_client_that_goes_away_in_the_middle_harms_nobody(
    server: WebServer, capfd: pytest.CaptureFixture[str]
) -> None:
    for data in (b"", b"GET / HT", b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with connect(server) as client:
            client.sendall(data)
    until(lambda: _good(server), "the places to be free")
    assert capfd.readouterr().err == ""


def test_a_connection_has_one_request(server: WebServer) -> None:
    one = b"GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"
    assert said(server, one * 2).count(b"HTTP/1.1 ") == 1


def test_it_listens_on_the_loopback_of_ipv6_too() -> None:
    with serving(parse_address("[::1]:0")) as server:
        assert status(server) == HTTPStatus.OK


def test_a_place_that_is_taken_is_named_with_the_way_out(server: WebServer) -> None:
    with pytest.raises(KbzError, match=r"127\.0\.0\.1:\d+: cannot listen there: Address already"):
        WebServer(server.address, shown)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(
        KbzError, match=r"192\.168\.255\.77:9048: cannot listen there: Cannot assign"
    ):
        WebServer(parse_address("192.168.255.77:9048"), shown)


def test_the_default_is_loopback() -> None:
    assert parse_address(DEFAULT).local
