"""The end of a log is made of whole lines: half a line could be a secret without its name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keybuzz.agent.guard.questions import is_a_look
from keybuzz.agent.host.programs import last_lines

LINES = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b" ")), max_size=8)


@given(lines=LINES, most=st.integers(0, 120))
def test_as_many_whole_lines_as_there_is_room_for(lines: list[bytes], most: int) -> None:
    text = b"".join(line + b"\n" for line in lines)
    kept = last_lines(text, most)
    wanted = max(
        (tail for n in range(len(lines) + 1) if len(tail := _joined(lines[n:])) <= most), key=len
    )
    assert kept == wanted


def _joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def test_a_line_that_has_no_room_is_left_out_whole() -> None:
    assert last_lines(b"password=" + b"x" * 50, 20) == b""


def test_a_session_that_only_looks_may_read_the_log_of_a_unit() -> None:
    assert is_a_look(
        ("journalctl", "-u", "k3s.service", "-n", "5", "-o", "short-iso", "--no-pager")
    )
