"""How the controller and the agent talk: frames on one duplex byte stream, used by both sides.

A frame is one byte of kind (`J` a JSON object, `B` raw bytes, `L` a sign of life), four bytes of length
(big-endian) and the payload. A conversation on these frames:

    loader      {"want": "source"}, once, when it cannot run what came (keybuzz.transport.bundle)
    controller  {"open": {"access": "look"}}; no request of the session goes further than this.
                With "lease": {…} the agent takes the host's lease, if it is the machine that is meant
    agent       {"hello": {"protocol": 2, "access": "look", "pid": 4711, "python": "3.11.2", "machine": {…}}};
                with "lease": {…} when it was asked for
    controller  {"id": 1, "op": "exec", …}; with "upload": true, B frames follow, the last one empty
    agent       any number of {"id": 1, "event": {…}} and B frames, then exactly one of
                {"id": 1, "result": {…}} and {"id": 1, "error": {"what": "…", "hint": "…"}};
                a request without an id is done and not answered
    controller  at any time L frames, while the session holds the lease: without them the agent ends
"""

from __future__ import annotations

from keybuzz.agent.wire import json_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

PROTOCOL = 2
JSON = b"J"
BYTES = b"B"
LIFE = b"L"
HEADER_SIZE = 5
CHUNK = 64 * 1024
"""Raw bytes travel in frames of at most this size, so that both sides need little memory."""

LIMITS = {JSON: 64 * 1024 * 1024, BYTES: 1024 * 1024, LIFE: 0}
"""A longer frame is no frame: something else writes on the channel."""

REPLY_LIMIT = 4 * 1024 * 1024
"""A JSON frame of a host is not longer: the controller talks with many at once."""

PREFIXES = {"stdout": b"o", "stderr": b"e"}
"""First byte of each B frame that answers `exec`: the stream that the rest was written to."""


class FrameError(ValueError):
    """What was read, or should be sent, is not a frame."""


def json_frame(message: dict[str, Any]) -> bytes:
    """Return the frame of a message. TypeError: JSON cannot hold it. FrameError: too long."""
    return _frame(JSON, json_text.dumps(message).encode())


def bytes_frame(payload: bytes) -> bytes:
    """Return the frame of raw bytes. An empty payload ends an upload."""
    return _frame(BYTES, payload)


def life_frame() -> bytes:
    """Return the frame that says that its sender lives, and nothing else."""
    return _frame(LIFE, b"")


def parse_header(header: bytes, longest: int = LIMITS[JSON]) -> tuple[bytes, int]:
    """Return kind and payload length of a header of exactly HEADER_SIZE bytes; no payload is longer than `longest`."""
    kind, length = header[:1], int.from_bytes(header[1:HEADER_SIZE], "big")
    if kind not in LIMITS:
        raise FrameError(f"{header!r} does not start a frame")
    limit = min(longest, LIMITS[kind])
    if length > limit:
        raise FrameError(f"a frame of {length} bytes is longer than allowed ({limit})")
    return kind, length


def parse_json(payload: bytes) -> dict[str, Any]:
    """Return the message of a J frame."""
    try:
        message = json_text.loads(payload.decode())
    except ValueError as error:
        raise FrameError(f"a JSON frame cannot be read: {error}") from error
    if not isinstance(message, dict):
        raise FrameError("a JSON frame does not hold an object")
    return message


def chunks(data: bytes) -> Iterator[bytes]:
    """Cut data into pieces of at most CHUNK bytes; nothing for empty data."""
    for start in range(0, len(data), CHUNK):
        yield data[start : start + CHUNK]


def _frame(kind: bytes, payload: bytes) -> bytes:
    if len(payload) > LIMITS[kind]:
        raise FrameError(f"a frame of {len(payload)} bytes is longer than allowed ({LIMITS[kind]})")
    return kind + len(payload).to_bytes(4, "big") + payload
