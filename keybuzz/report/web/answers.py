"""What a request is answered: pure, but for the page that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from keybuzz.model.core.errors import KbzError
from keybuzz.report.page.page import POLICY
from keybuzz.report.web.address import host_name

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
METHODS = ("GET", "HEAD")
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"{POLICY}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}
"""On every answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request."""

    method: str
    target: str
    hosts: tuple[str, ...]
    """Every header Host."""
    body: bool
    """True when one is announced."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back; for HEAD without the body."""

    status: HTTPStatus
    body: bytes
    content_type: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beside those of every answer."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that can be asked for."""

    content_type: str
    make: Callable[[], str]
    """Returns its text of this moment; KbzError when there is none now."""


Resources = Mapping[str, Resource]


def answer(request: Request, resources: Resources, names: frozenset[str]) -> Answer:
    """Return what a request is answered by a server of these names.

    A page of elsewhere whose name was turned to our address (DNS rebinding) calls us by that name, and gets nothing.
    """
    if len(request.hosts) != 1:
        return said(HTTPStatus.BAD_REQUEST, "a request has one header Host")
    if host_name(request.hosts[0]) not in names:
        return said(HTTPStatus.MISDIRECTED_REQUEST, "this server has another name")
    resource = resources.get(request.target.partition("?")[0])
    if resource is None:
        return said(HTTPStatus.NOT_FOUND, f"there is only {', '.join(resources)}")
    if request.method not in METHODS:
        allowed = ", ".join(METHODS)
        words = f"{request.target.partition('?')[0]} is only read: {allowed}"
        return said(HTTPStatus.METHOD_NOT_ALLOWED, words, {"Allow": allowed})
    if request.body:
        return said(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a request has no body here")
    try:
        text = resource.make()
    except KbzError as error:
        return said(HTTPStatus.SERVICE_UNAVAILABLE, error.sentence)
    return Answer(HTTPStatus.OK, text.encode(), resource.content_type)


def said(status: HTTPStatus, sentence: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return a sentence with a status that is not good."""
    return Answer(status, f"{sentence}\n".encode(errors="replace"), headers=headers or {})
