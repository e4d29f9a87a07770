"""What a host may reply, field by field: the one place where frames of a host become values.

Everything that arrives is data of that one host. `read` and `shaped` raise ReplyError for what is not of its shape,
whatever that is; the session makes a lost contact of it, and the reading an answer that could not be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from keybuzz.agent.runtime.frames import REPLY_LIMIT, FrameError

MOST_PARTS = 200_000
"""Values and names in one frame: without it 4 MB of `{},` are 90 MB of dictionaries."""
DEEPEST = 32
"""Containers inside each other."""
_ALL_BYTES, _ALL_PARTS = 16 << 20, 500_000
"""What the replies of all hosts that are asked at once may have together: the controller's memory is bounded."""
_LEAST_BYTES, _LEAST_PARTS = 1 << 18, 5_000
"""What each host's reply may have, however many are asked."""
_LARGEST = 2**63
_OUTCOMES = Literal["ok", "changed", "failed", "refused"]

T = TypeVar("T")


class ReplyError(FrameError):
    """A reply is not of its shape."""


class TooLargeError(ReplyError):
    """A reply is larger than there is room for."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one reply may be: bytes of its frame, and values in it."""

    size: int = REPLY_LIMIT
    parts: int = MOST_PARTS


def share(hosts: int) -> Limits:
    """Return what each reply may be when so many hosts are asked at once: no host takes another one's room."""
    count = max(1, hosts)
    return Limits(
        max(_LEAST_BYTES, min(REPLY_LIMIT, _ALL_BYTES // count)),
        max(_LEAST_PARTS, min(MOST_PARTS, _ALL_PARTS // count)),
    )


@dataclass(frozen=True, slots=True)
class HoldReply:
    """Whether the host's lease is ours, or else what its holder has written there."""

    held: bool
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Hello:
    """How an agent greets."""

    protocol: int
    pid: int
    python: str
    access: str = ""
    """How far the session goes."""
    machine: Any = field(default_factory=dict)
    """Which one it is: keybuzz.transport.identity judges it."""
    lease: HoldReply | None = None
    """How it is with the host's lease, when the session is opened with it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an operation did not work."""

    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class StateReply:
    """One resource, as it is on the host."""

    present: bool
    attributes: Mapping[str, str | int | bool | tuple[str, ...] | None] = field(
        default_factory=dict
    )
    text: str | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class AnswerReply:
    """One reading: a value, whose shape the reading knows, or a problem."""

    value: Any = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ProbeReply:
    """All that was asked, in its order: each state a StateReply and each answer an AnswerReply, or of no shape."""

    states: tuple[Any, ...]
    answers: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class ExecReply:
    """How a command ended."""

    exit_code: int
    timed_out: bool


@dataclass(frozen=True, slots=True)
class StepEvent:
    """A change begins or ends; `outcome` is empty at its beginning."""

    step: int
    phase: Literal["started", "ended"]
    outcome: _OUTCOMES | Literal[""] = ""
    what: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class StepReply:
    """How a change ended."""

    outcome: _OUTCOMES
    what: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ApplyReply:
    """All changes that were tried, in their order; the last one may be the first that did not work."""

    outcomes: tuple[StepReply, ...]


@dataclass(frozen=True, slots=True)
class ImageReply:
    """Which image was handed out."""

    id: str


@dataclass(frozen=True, slots=True)
class ConfirmReply:
    """What was confirmed."""

    confirmed: tuple[str, ...]


def read(payload: bytes, most: int = MOST_PARTS) -> dict[str, Any]:
    """Return the object in a JSON frame, within the limits of this module."""
    import msgspec

    if sum(payload.count(mark) for mark in (b",", b"[", b"{")) > most:
        raise TooLargeError(f"a JSON frame holds more than {most} values")
    try:
        message = msgspec.json.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ReplyError(f"a JSON frame cannot be read: {error}") from error
    if not isinstance(message, dict):
        raise ReplyError("a JSON frame does not hold an object")
    _require_flat(message)
    return message


def shaped(value: object, shape: type[T]) -> T:
    """Return a value as `shape`; ReplyError names the field that is not of it."""
    import msgspec

    try:
        found: T = msgspec.convert(value, shape)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ReplyError(str(error)) from error
    return found


def _require_flat(message: dict[str, Any]) -> None:
    """Refuse what later steps could not hold: deep nesting, and numbers that no field needs."""
    level: list[object] = [message]
    for _ in range(DEEPEST):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
            elif isinstance(item, int) and not -_LARGEST <= item < 2 * _LARGEST:
                raise ReplyError("a number is too large")
        if not below:
            return
        level = below
    raise ReplyError(f"values are nested more than {DEEPEST} deep")
