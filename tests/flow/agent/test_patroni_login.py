"""The question whether Patroni's interface takes a password: only the right one is accepted, and nothing is changed."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from keybuzz.agent.readings.table import ask
from keybuzz.model.core.secret import Secret
from tasks.patroni.service.readings import PatroniLogin

RIGHT = "Basic " + b64encode(b"patroni:the right one").decode()


@contextmanager
def patroni(*, asks: bool = True, answer: int = 400) -> Iterator[tuple[str, list[bytes]]]:
    """Yield the URL of an interface as Patroni's, and the bodies that it got."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PATCH(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            good = not asks or self.headers["Authorization"] == RIGHT
            self.send_response(answer if good else 401)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="patroni")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", bodies
        finally:
            server.shutdown()
            thread.join(10)


def asked(url: str, password: str) -> dict[str, object]:
    return ask(PatroniLogin("login", url, "patroni", Secret("P", password)).query())


def test_the_right_password_is_accepted_and_nothing_is_asked_to_change() -> None:
    with patroni() as (url, bodies):
        assert asked(url, "the right one") == {"value": {"accepted": True, "reason": ""}}
    assert set(bodies) == {b"{}"}


def test_another_password_is_refused() -> None:
    with patroni() as (url, _):
        reason = "Patroni refuses the password"
        assert asked(url, "another") == {"value": {"accepted": False, "reason": reason}}


@pytest.mark.parametrize("password", ["the right one", "another"])
def test_an_interface_that_asks_nobody_has_proven_nothing(password: str) -> None:
    with patroni(asks=False) as (url, _):
        reason = "Patroni does not ask for a password"
        assert asked(url, password) == {"value": {"accepted": False, "reason": reason}}


def test_any_other_answer_is_none() -> None:
    with patroni(answer=503) as (url, _):
        assert asked(url, "the right one") == {
            "problem": "Patroni answers 503 to a change of nothing"
        }
