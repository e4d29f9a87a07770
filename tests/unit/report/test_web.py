"""What `kbz serve` answers, and where it may listen: the part of it that is pure."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.model.core.errors import KbzError, RefusedError, UsageError
from keybuzz.report.page.page import POLICY
from keybuzz.report.web.address import DEFAULT, host_name, parse_address
from keybuzz.report.web.answers import HEADERS, HTML, Answer, Request, Resource, answer

NAMES = parse_address(DEFAULT).names


def broken() -> str:
    raise KbzError("the journal cannot be used: it is gone", where="/var/x", hint="bring it back")


RESOURCES = {"/": Resource(HTML, lambda: "<p>ü"), "/broken": Resource(HTML, broken)}


def ask(
    target: str = "/", method: str = "GET", host: str = "localhost:9048", *, body: bool = False
) -> Answer:
    return answer(Request(method, target, (host,), body), RESOURCES, NAMES)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", ["/", "/?a=b"])
def test_what_is_there_is_given(method: str, target: str) -> None:
    assert ask(target, method) == Answer(HTTPStatus.OK, "<p>ü".encode(), HTML)


@pytest.mark.parametrize("target", ["/index.html", "//", "/%2e", "", "*", "http://localhost/"])
def test_anything_else_is_not_found_whatever_the_method(target: str) -> None:
    for method in ("GET", "POST"):
        assert ask(target, method).status == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW", "get"])
def test_another_method_is_told_which_there_are(method: str) -> None:
    found = ask("/", method)
    assert found.status == HTTPStatus.METHOD_NOT_ALLOWED
    assert found.headers == {"Allow": "GET, HEAD"}


def test_a_body_is_refused() -> None:
    assert ask(body=True).status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_what_can_not_be_made_now_is_a_sentence_without_a_place() -> None:
    found = ask("/broken")
    assert found.status == HTTPStatus.SERVICE_UNAVAILABLE
    said = "the journal cannot be used: it is gone → bring it back\n"
    assert found.body.decode() == said


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1:9048", "127.0.0.1", "[::1]:8080", "[0::1]"]
)
def test_its_own_names_are_good_with_any_port_as_a_tunnel_has_it(host: str) -> None:
    assert ask(host=host).status == HTTPStatus.OK


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:9048", "127.0.0.1.evil.example", "localhost.evil.example", "evil.localhost",
        "10.0.0.20:9048", "", ":9048", "localhost:x", "[localhost]", "[::1", "::1", "user@localhost",
        "localhost, evil.example", "localhost/",
    ],
)  # fmt: skip
def test_another_name_gets_nothing(host: str) -> None:
    found = ask(host=host)
    assert found.status == HTTPStatus.MISDIRECTED_REQUEST
    assert b"<p>" not in found.body


@given(st.text(max_size=30))
def test_only_our_names_are_our_names(host: str) -> None:
    good = ask(host=host).status == HTTPStatus.OK
    assert good == (host_name(host) in {"localhost", "127.0.0.1", "::1"})


@pytest.mark.parametrize("hosts", [(), ("localhost", "localhost"), ("localhost", "evil.example")])
def test_a_request_has_one_host(hosts: tuple[str, ...]) -> None:
    found = answer(Request("GET", "/", hosts, body=False), RESOURCES, NAMES)
    assert found.status == HTTPStatus.BAD_REQUEST


def test_every_answer_forbids_what_the_page_forbids_and_to_be_framed() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith(f"{POLICY};")
    assert "frame-ancestors 'none'" in policy
    assert HEADERS["Cache-Control"] == "no-store"
    assert HEADERS["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("text", "shown", "local"),
    [
        (DEFAULT, DEFAULT, True),
        ("localhost:0", "127.0.0.1:0", True),
        ("[::1]:9048", "[::1]:9048", True),
        ("127.8.9.10:80", "127.8.9.10:80", True),
        ("10.0.0.20:9048", "10.0.0.20:9048", False),
        ("[fd00::20]:9048", "[fd00::20]:9048", False),
        ("[::ffff:10.0.0.20]:9048", "10.0.0.20:9048", False),
    ],
)
def test_loopback_and_private_addresses_may_be_listened_at(
    text: str, shown: str, *, local: bool
) -> None:
    found = parse_address(text)
    assert (str(found), found.local) == (shown, local)
    assert str(found.ip) in found.names


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0:9048", "[::]:9048", "8.8.8.8:9048", "[2a01:4f8::1]:9048", "[::ffff:8.8.8.8]:9048",
        "[::ffff:0.0.0.0]:9048", "224.0.0.1:9048",
    ],
)  # fmt: skip
def test_an_address_for_anybody_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(RefusedError, match=r"no password and no encryption\n.*127\.0\.0\.1:9048"):
        parse_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "9048", ":9048", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:9048", "install-01:9048",
        "[127.0.0.1]x:9048", "127.0.0.1:90 48", "http://127.0.0.1:9048", "127.0.0.1:٣",
    ],
)  # fmt: skip
def test_what_is_no_address_is_told_how_one_looks(text: str) -> None:
    with pytest.raises(UsageError, match="an IP address and a port"):
        parse_address(text)
