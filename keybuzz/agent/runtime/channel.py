"""The agent's side of the conversation: requests come in, events, bytes and one answer go out."""

from __future__ import annotations

import os
import select
import time
from _thread import allocate_lock

from keybuzz.agent.guard.access import LOOK
from keybuzz.agent.runtime import ending
from keybuzz.agent.runtime.frames import (
    BYTES,
    HEADER_SIZE,
    JSON,
    LIFE,
    REPLY_LIMIT,
    FrameError,
    bytes_frame,
    chunks,
    json_frame,
    parse_header,
    parse_json,
)
from keybuzz.agent.runtime.waiting import WaitingFrames
from keybuzz.agent.wire.json_text import well_formed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from typing import Any

_SURROGATE = b"\\ud"
"""How half a character stands in JSON: of a pair, or alone."""
_QUEUED_FRAMES = 32
"""Frames read ahead. Then the reader stops, the SSH window fills and the controller waits."""

_PIECE = 1 << 16
"""Bytes of a frame that are read at once."""

_HANG_UP_CHECK = 0.5
"""Seconds between looks for a lost controller while the queue is full."""


class Channel:
    """What a handler uses to talk while it works on one request."""

    def __init__(self, source: int, sink: int) -> None:
        self._source = source
        self._sink = sink
        self._frames = WaitingFrames(_QUEUED_FRAMES)
        self._write_lock = allocate_lock()
        self._request: object = None
        self._uploading = False
        self._heard = time.monotonic()
        self.access = LOOK
        """How far the session may go (keybuzz.agent.guard.access); as little as there is until it is opened."""

    def opening(self) -> dict[str, Any]:
        """Return the terms in the first frame, which fixes what the session is for."""
        kind, payload = self._frames.take()
        terms = parse_json(payload).get("open") if kind == JSON else None
        if not isinstance(terms, dict):
            raise FrameError("the session was not opened: the first frame has no `open`")
        return terms

    def event(self, event: dict[str, Any]) -> None:
        """Tell the controller something while the request still runs."""
        self.send({"id": self._request, "event": event})

    def send_bytes(self, data: bytes, prefix: bytes = b"") -> None:
        """Send raw bytes, `prefix` before each frame. Blocks while the controller does not read."""
        for piece in chunks(data):
            self._write(bytes_frame(prefix + piece))

    def receive_bytes(self) -> Iterator[bytes]:
        """Yield the bytes that the controller uploads with this request, in the order sent."""
        while self._uploading:
            if payload := self._uploaded(self._frames.take()):
                yield payload

    def receive_with_pauses(self, seconds: float) -> Iterator[bytes]:
        """Yield the same, and empty bytes whenever nothing has come for so long."""
        while self._uploading:
            frame = self._frames.take_within(seconds)
            if frame is None:
                yield b""
            elif payload := self._uploaded(frame):
                yield payload

    def _uploaded(self, frame: tuple[bytes, bytes]) -> bytes:
        """Return the bytes of a frame of an upload; none where it is the last."""
        kind, payload = frame
        if kind != BYTES:
            raise FrameError("a new request came in the middle of an upload")
        self._uploading = bool(payload)
        return payload

    def next_request(self) -> dict[str, Any]:
        """Return the next request, dropping what its predecessor did not take of its upload."""
        for _ in self.receive_bytes():
            pass
        kind, payload = self._frames.take()
        if kind != JSON:
            raise FrameError("bytes came without a request")
        request = parse_json(payload)
        self._request = request.get("id")
        self._uploading = request.get("upload") is True
        return request

    def send(self, message: dict[str, Any]) -> None:
        """Send one message. TypeError or FrameError when no frame can hold it; nothing was sent then."""
        frame = json_frame(message)
        if _SURROGATE in frame:
            frame = json_frame(well_formed(message))
        if len(frame) > REPLY_LIMIT:
            raise FrameError(f"an answer of {len(frame)} bytes is longer than {REPLY_LIMIT}")
        self._write(frame)

    def silence(self) -> float:
        """Return for how many seconds nothing has come, though there was room for it."""
        return time.monotonic() - self._heard

    def read_ahead(self) -> None:
        """Own the incoming stream until it closes, then end the agent (thread of its own)."""
        try:
            self._read_frames()
        except (FrameError, OSError) as error:
            os.write(2, f"the controller cannot be understood: {error}\n".encode())
        ending.end()

    def _read_frames(self) -> None:
        with open(self._source, "rb", closefd=False) as stream:
            while len(header := stream.read(HEADER_SIZE)) == HEADER_SIZE:
                kind, length = parse_header(header)
                payload = self._payload(stream, length)
                if len(payload) < length:
                    return
                if kind != LIFE:
                    self._enqueue((kind, payload))

    def _payload(self, stream: BufferedReader, length: int) -> bytes:
        """Return the bytes of a frame, or fewer at the end of the stream; each piece is a sign of life."""
        pieces = []
        while length and (piece := stream.read(min(length, _PIECE))):
            pieces.append(piece)
            length -= len(piece)
            self._heard = time.monotonic()
        self._heard = time.monotonic()
        return b"".join(pieces)

    def _enqueue(self, frame: tuple[bytes, bytes]) -> None:
        """Wait for room, but not longer than the controller is there: no other process would notice."""
        watch = select.poll()
        watch.register(
            self._source, 0
        )  # reports a hang-up only, though unread frames lie before it
        while not self._frames.put(frame, timeout=_HANG_UP_CHECK):
            self._heard = time.monotonic()
            if watch.poll(0):
                ending.end()

    def _write(self, frame: bytes) -> None:
        view = memoryview(frame)
        with self._write_lock:
            try:
                while view:
                    view = view[os.write(self._sink, view) :]
            except OSError:
                ending.end()
