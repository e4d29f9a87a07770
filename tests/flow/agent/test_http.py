"""The agent's HTTP client against answers of every shape, and against none."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http
from tests.flow.support.unix_server import Answer, Request, Server, serving

Serving = Callable[[Answer], AbstractContextManager[Server]]
HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def serve(tmp_path: Path) -> Serving:
    return lambda answer: serving(tmp_path / "sock", answer)


def ask(server: Server, timeout: float = 5.0, **more: Any) -> http.Response:
    until = time.monotonic() + timeout
    with http.connect_unix(str(server.path), timeout) as connection:
        http.send_request(connection, "GET", "/x", {}, **more)
        return http.read_response(connection, until)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    yield from (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b'HTTP/1.0 200 OK\r\n\r\n{"a": 1}', b'{"a": 1}'),
        (HEAD + b"Content-Length: 5\r\n\r\nhello", b"hello"),
        (HEAD + b"CONTENT-LENGTH:5\r\n\r\nhello and more", b"hello"),
        (HEAD + b"Content-Length: 0\r\n\r\n", b""),
        (
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
            b"hello",
        ),
        (HEAD + b"Transfer-Encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_a_body_is_read_as_it_was_sent(
    serve: Serving, answer: bytes, body: bytes, size: int
) -> None:
    with serve(lambda request: pieces(answer, size)) as server:
        assert ask(server).body == body


def test_an_answer_is_taken_though_the_connection_stays_open(serve: Serving) -> None:
    def answer(request: Request) -> Iterator[bytes]:
        yield HEAD + b"Content-Length: 2\r\n\r\n{}"
        request.rest()  # ends when the client closes

    with serve(answer) as server:
        assert ask(server).json() == {}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "ended before an answer"),
        (b"HTTP/1.1 200", "ended before an answer"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n", "does not speak HTTP: 'SSH-2.0-OpenSSH_9.2p1'"),
        (b"HTTP/1.1 OK\r\n\r\n", "does not speak HTTP"),
        (b"\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 " + b"x" * (1 << 17), "never ends"),
        (HEAD + b"Content-Length: 9\r\n\r\nhello", "cut short"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel", "cut short"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", "cut short"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhel\r\n", "cut short"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-3\r\nhel\r\n", "cut short"),
    ],
)
def test_what_is_no_whole_answer_is_an_error_with_words(
    serve: Serving, answer: bytes, reason: str
) -> None:
    with (
        serve(lambda request: answer) as server,
        pytest.raises(AgentError, match=reason),
    ):
        ask(server)


@pytest.mark.parametrize("head", [b"", HEAD, HEAD + b"\r\n"])
def test_a_trickle_that_never_ends_meets_the_deadline(serve: Serving, head: bytes) -> None:
    def trickle(request: Request) -> Iterator[bytes]:
        yield head
        for _ in itertools.count():
            if server.ended.wait(0.02):  # each byte is in time; all of them never are
                return
            yield b"x"

    with serve(trickle) as server:
        begin = time.monotonic()
        with pytest.raises(http.LateAnswerError):
            ask(server, timeout=0.3)
        assert time.monotonic() - begin < 2


def test_a_silent_server_meets_the_deadline(serve: Serving) -> None:
    def silence(request: Request) -> bytes:
        request.rest()
        return b""

    with serve(silence) as server, pytest.raises(http.LateAnswerError):
        ask(server, timeout=0.2)


def test_an_endless_answer_does_not_fill_the_memory(
    serve: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "LARGEST_BODY", 1 << 20)

    def flood(request: Request) -> Iterator[bytes]:
        yield HEAD + b"\r\n"
        yield from itertools.repeat(bytes(1 << 16))

    with serve(flood) as server, pytest.raises(AgentError, match="longer than 1 MiB"):
        ask(server, timeout=10)


def test_a_streamed_body_arrives_whole(serve: Serving) -> None:
    blocks = [b"one", b"", b"two" * 50_000, b"\r\n0\r\n\r\n"]
    with serve(lambda request: HEAD + b"\r\n") as server:
        ask(server, body=iter(blocks))
    (request,) = server.requests
    assert request.version == "HTTP/1.1"
    assert request.body == b"".join(blocks)


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=20))
def test_any_content_survives_its_chunks(content: bytes, sizes: list[int]) -> None:
    wire, position = b"", 0
    for size in [*sizes, len(content)]:
        piece = content[position : position + size]
        position += size
        wire += b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
    assert http._join_chunks(wire + b"0\r\n\r\n") == content
