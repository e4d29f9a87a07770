"""What a controller and a worker say to each other: one JSON object a line, typed and limited on both sides.

The controller writes one Spec. The worker answers with Accepted or Refused; after Accepted, with one HostReply or
HostSilent for each host as it comes, and with Ended. Names of hosts and of descriptions travel, and what hosts reply,
masked; no function, no question to a host, no key and no credential does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from keybuzz.model.core.visible import one_line
from keybuzz.transport.replies import Limits, ReplyError, read, shaped

FORMAT_VERSION = 1
SPEC_LIMIT = 4 << 20
"""Bytes of a Spec: some hundred hosts with some ten names each need 100 KB."""
_AROUND = 64 << 10
"""Bytes of a message around what a host replied."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What a worker is to do."""

    format_version: int
    run: str
    """Of this look, random: no two are alike."""
    shard: str
    """Unique in the run, such as `fsn1-2`."""
    kbz: str
    """Version and digest of the program: a worker is of the same one."""
    site: Mapping[str, str]
    """Keyed digests of the site's parts: a worker has the same ones."""
    task: Literal["describe"]
    """The closed list of what a worker does: ask hosts what their modules describe."""
    hosts: Mapping[str, tuple[str, ...]]
    """Host to the names of its descriptions: modules, and the questions of drift."""
    of: int
    """Hosts of all shards together: each reply may be as large as if one controller asked them all."""
    num_workers: int
    deadline: float
    """Seconds; the worker ends itself then, too."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The worker is of the same program and the same site, and begins."""

    kbz: str
    pid: int
    python: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The worker asks no host."""

    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class HostReply:
    """A host has answered."""

    host: str
    asked: str
    """Digest of the names of what was asked, in its order."""
    between: tuple[float, float]
    """By the worker's clock."""
    states: tuple[Any, ...]
    answers: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class HostSilent:
    """A host could not be asked."""

    host: str
    contact: bool
    """True when it did not answer, False when something else was wrong."""
    what: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more comes."""

    hosts: int


Message = Accepted | Refused | HostReply | HostSilent | Ended
_KINDS: Mapping[str, type[Any]] = {
    "accepted": Accepted,
    "refused": Refused,
    "host": HostReply,
    "silent": HostSilent,
    "ended": Ended,
}
_WORDS = {kind: word for word, kind in _KINDS.items()}
_Shape = TypeVar("_Shape")


def line_limit(limits: Limits) -> int:
    """Return the bytes of a line in which such a reply fits."""
    return limits.size + _AROUND


def spec_line(spec: Spec) -> bytes:
    """Return a Spec as a line."""
    return _line(spec)


def read_spec(line: bytes) -> Spec:
    """Return what a line says; ReplyError when it is no Spec of this format."""
    fields = read(line)
    if fields.get("format_version") != FORMAT_VERSION:
        raise ReplyError(
            f"format {one_line(str(fields.get('format_version')))[:20]} is not {FORMAT_VERSION}"
        )
    return shaped(fields, Spec)


def message_line(shard: str, message: Message) -> bytes:
    """Return a message as a line."""
    import msgspec

    fields = msgspec.to_builtins(message)
    head = {"format_version": FORMAT_VERSION, "shard": shard, "kind": _WORDS[type(message)]}
    return _line({**head, **fields})


def read_message(line: bytes, shard: str, most: int) -> Message:
    """Return what a line says; ReplyError when it is no message of this shard, or holds more than `most` values."""
    fields = read(line, most)
    if fields.get("format_version") != FORMAT_VERSION or fields.get("shard") != shard:
        raise ReplyError("a line is not of this shard, or of another format")
    kind = _KINDS.get(str(fields.get("kind")))
    if kind is None:
        raise ReplyError("a line is of no kind that this kbz knows")
    found: Message = shaped(fields, kind)
    return found


def _line(value: object) -> bytes:
    import msgspec

    return msgspec.json.encode(value) + b"\n"
