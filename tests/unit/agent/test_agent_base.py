"""What the agent has of its own in place of heavy modules of the standard library: it does the same."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybuzz.agent.runtime import spawn
from keybuzz.agent.runtime.waiting import WaitingFrames
from keybuzz.agent.wire import json_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
ENV = {"PATH": "/usr/bin:/bin", "MARK": "é"}


def test_json_is_written_and_read_by_c() -> None:
    assert json_text.dumps.__qualname__.startswith("_by_c")
    assert json_text.loads.__qualname__.startswith("_by_c")


@settings(max_examples=100, deadline=None)  # recursive values are slow to make
@given(VALUES)
def test_json_is_the_same_as_the_librarys(value: object) -> None:
    assert json_text.dumps(value) == json.dumps(value, separators=(",", ":"))
    assert json_text.loads(json_text.dumps(value)) == value


@pytest.mark.parametrize("text", ["", "{", '{"a":1} x', "[1,]", "nul", '"\n"', "{'a':1}"])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_text.loads(text)


def test_what_json_can_not_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="set"):
        json_text.dumps({"a": {1}})
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="Circular"):
        json_text.dumps(endless)


def test_frames_come_out_in_order_and_a_full_queue_takes_no_more() -> None:
    waiting = WaitingFrames(2)
    assert waiting.put((b"B", b"1"), 0.01)
    assert waiting.put((b"B", b"2"), 0.01)
    assert not waiting.put((b"B", b"3"), 0.01)
    assert waiting.take() == (b"B", b"1")
    assert waiting.put((b"B", b"3"), 0.01)
    assert [waiting.take()[1], waiting.take()[1]] == [b"2", b"3"]


def test_a_frame_is_waited_for_no_longer_than_asked() -> None:
    waiting = WaitingFrames(1)
    assert waiting.take_within(0.01) is None
    assert waiting.put((b"B", b"1"), 0.01)
    assert waiting.take_within(0.01) == (b"B", b"1")
    assert waiting.take_within(0.01) is None
    assert waiting.put((b"B", b"2"), 0.01), "its room is given back once"
    assert not waiting.put((b"B", b"3"), 0.01)


@pytest.mark.parametrize("most", [1, 2, 7])
def test_a_writer_and_a_reader_lose_no_frame(most: int) -> None:
    waiting = WaitingFrames(most)
    numbers = [str(number).encode() for number in range(2000)]
    refused: list[bytes] = []

    def write() -> None:
        refused.extend(number for number in numbers if not waiting.put((b"B", number), 30))

    writer = threading.Thread(target=write)
    writer.start()
    assert [waiting.take()[1] for _ in numbers] == numbers
    writer.join(30)
    assert refused == []


def run(*argv: str) -> tuple[str, int]:
    """Run a program to its end; return what it wrote, and its exit code."""
    process = spawn.start(argv, ENV)
    os.close(process.stdin)
    with os.fdopen(process.stdout) as out, os.fdopen(process.stderr):
        text = out.read()
    _, status = os.waitpid(process.pid, 0)
    return text, os.waitstatus_to_exitcode(status)


def test_a_program_gets_its_words_and_exactly_its_environment() -> None:
    assert run("printf", "%s|", "a b", "", "$MARK") == ("a b||$MARK|", 0)
    assert run("env")[0].splitlines() == ["PATH=/usr/bin:/bin", "MARK=é"]
    assert run("sh", "-c", "exit 7")[1] == 7


def test_a_program_has_a_session_of_its_own_and_no_descriptor_of_ours() -> None:
    process, mine = run("sh", "-c", "echo $$ $(cut -d' ' -f6 /proc/$$/stat)")[0].split()
    assert process == mine
    with Path("/etc/hostname").open() as ours:
        place = str(Path(f"/proc/self/fd/{ours.fileno()}").readlink())
        assert place not in run("sh", "-c", "readlink /proc/$$/fd/*")[0].splitlines()


def test_a_program_does_not_inherit_that_python_ignores_broken_pipes() -> None:
    assert run("sh", "-c", "kill -PIPE $$")[1] == -signal.SIGPIPE


@pytest.mark.parametrize("name", ["no-such-program", "/no/such/program", "/etc/passwd", "/etc"])
def test_what_can_not_be_started_is_named(name: str) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(OSError, match=name):
        spawn.start([name], ENV)
    assert set(Path("/proc/self/fd").iterdir()) == before
