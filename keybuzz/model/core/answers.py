"""Shapes of the answers to readings: what a check may rely on. A host that answers something else has not answered.

They are judged where replies arrive, field by field; what a shape does not name is dropped there.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class HttpAnswer(TypedDict):
    """Of HttpGet. `json` is what came, of any shape, or None where that is no JSON."""

    status: int
    json: Any


class CommandAnswer(TypedDict):
    """Of Command and ContainerCommand."""

    exit_code: int
    stdout: str
    stderr: str


class LogAnswer(TypedDict):
    """Of ContainerLog."""

    restarts: int
    stdout: str
    stderr: str


class ListingAnswer(TypedDict):
    """Of DirectoryListing."""

    there: bool
    names: list[str]


class TextAnswer(TypedDict):
    """Of FileText and SocketQuestion."""

    text: str


class CopyAnswer(TypedDict):
    """One file of SecretCopies."""

    path: str
    uid: int
    gid: int
    mode: str
    names: list[str]
    current: list[str]


class UnreadFileAnswer(TypedDict):
    """A file that is there and could not be read."""

    path: str
    why: str


class CopiesAnswer(TypedDict):
    """Of SecretCopies."""

    copies: list[CopyAnswer]
    unread: list[UnreadFileAnswer]
    truncated: bool


class LoginAnswer(TypedDict):
    """Of a login: whether it was accepted, and why not."""

    accepted: bool
    reason: str
    row: NotRequired[list[str]]


class PortsAnswer(TypedDict):
    """Of TcpPorts."""

    listeners: list[str]
    connections: dict[str, int]
