"""Frames survive the way; what is no frame is refused before its length is believed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybuzz.agent.runtime import frames

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)  # recursive values are slow to make
@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_a_message_comes_out_as_it_went_in(message: dict[str, object]) -> None:
    frame = frames.json_frame(message)
    kind, length = frames.parse_header(frame[: frames.HEADER_SIZE])
    payload = frame[frames.HEADER_SIZE :]
    assert (kind, length) == (frames.JSON, len(payload))
    assert frames.parse_json(payload) == message


@given(st.binary(max_size=1000))
def test_bytes_come_out_as_they_went_in(data: bytes) -> None:
    frame = frames.bytes_frame(data)
    header, payload = frame[: frames.HEADER_SIZE], frame[frames.HEADER_SIZE :]
    assert frames.parse_header(header) == (frames.BYTES, len(data))
    assert payload == data


@given(st.integers(0, 5 * frames.CHUNK))
def test_chunks_lose_nothing_and_fit_into_frames(size: int) -> None:
    data = bytes(size)
    pieces = list(frames.chunks(data))
    assert b"".join(pieces) == data
    assert all(0 < len(piece) <= frames.CHUNK for piece in pieces)


@given(st.binary(min_size=5, max_size=5).filter(lambda header: header[:1] not in b"JBL"))
def test_other_bytes_start_no_frame(header: bytes) -> None:
    with pytest.raises(frames.FrameError, match="does not start a frame"):
        frames.parse_header(header)


@pytest.mark.parametrize("kind", [frames.JSON, frames.BYTES])
def test_an_absurd_length_is_refused(kind: bytes) -> None:
    limit = frames.LIMITS[kind]
    assert frames.parse_header(kind + limit.to_bytes(4, "big")) == (kind, limit)
    with pytest.raises(frames.FrameError, match="longer than allowed"):
        frames.parse_header(kind + (limit + 1).to_bytes(4, "big"))


def test_a_frame_that_the_other_side_would_refuse_is_not_made() -> None:
    with pytest.raises(frames.FrameError, match="longer than allowed"):
        frames.bytes_frame(bytes(frames.LIMITS[frames.BYTES] + 1))


@pytest.mark.parametrize("payload", [b"[1]", b"{", b"\xff", b"null"])
def test_only_objects_are_messages(payload: bytes) -> None:
    with pytest.raises(frames.FrameError):
        frames.parse_json(payload)


def test_what_json_can_not_hold_is_not_sent() -> None:
    with pytest.raises(TypeError):
        frames.json_frame({"content": b"raw"})
