"""What a session promises when the other side misbehaves, and that nothing outlives it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from keybuzz.agent.runtime.frames import CHUNK, json_frame
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import ContactError, StepError
from keybuzz.transport import bundle
from keybuzz.transport.local import LocalLink
from keybuzz.transport.replies import ApplyReply, ExecReply, ProbeReply, StepEvent, StepReply
from keybuzz.transport.session import Session
from keybuzz.transport.stream import SocketStream
from tests.flow.support.connections import MAY_CHANGE
from tests.flow.support.sshd import running_with, until

HELLO = json_frame({"hello": {"protocol": 2, "access": "change", "pid": 1, "python": "3.11.2"}})


class Scripted:
    """The other end of a session: says what the test tells it to, whatever it is asked."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        # The agent's own bytes are read at the other end: they may be more than fit in between.
        threading.Thread(target=self._load, daemon=True).start()

    def _load(self) -> None:
        left = len(bundle.preamble())
        with contextlib.suppress(OSError):
            while left and (piece := self.far.recv(min(left, 1 << 16))):
                left -= len(piece)

    def say(self, *frames: bytes) -> None:
        self.far.sendall(b"".join(frames))

    def session(self, timeout: float = 10.0) -> Session:
        stream = SocketStream(self.near, lambda: self.near.shutdown(socket.SHUT_RDWR), lambda: "")
        return Session(stream, where="db-01", timeout=timeout, access=Access.CHANGE)


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    script = Scripted()
    yield script
    script.near.close()
    script.far.close()


@pytest.fixture
def local() -> Iterator[Session]:
    link = LocalLink()
    link.open("127.0.0.1", None, None, None, None, {"name": "install-01"}, MAY_CHANGE)
    yield link.connection
    link.close()


def test_a_host_with_another_python_is_sent_the_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    other = bundle.LOADER.replace("from marshal", "MAGIC_NUMBER = b'other'\nfrom marshal", 1)
    monkeypatch.setattr(bundle, "LOADER", other)
    link = LocalLink()
    link.open("127.0.0.1", None, None, None, None, {"name": "install-01"}, MAY_CHANGE)
    with contextlib.closing(link):
        assert link.connection.execute(["echo", "here"], timeout=20).stdout == "here\n"


def test_the_sources_are_sent_only_once(scripted: Scripted) -> None:
    scripted.say(*2 * [json_frame(bundle.WANTS_SOURCES)])
    with pytest.raises(ContactError, match="the agent did not greet"):
        scripted.session()


def test_a_chatty_login_script_is_named(scripted: Scripted) -> None:
    scripted.say(b"Welcome to db-01!\n")
    with pytest.raises(ContactError) as caught:
        scripted.session()
    assert "login scripts" in caught.value.hint
    assert caught.value.where == "db-01"
    assert not caught.value.inside_step


def test_another_protocol_is_refused(scripted: Scripted) -> None:
    scripted.say(json_frame({"hello": {"protocol": 1, "pid": 1, "python": "3"}}))
    with pytest.raises(ContactError, match="protocol 2 was expected"):
        scripted.session()


def test_an_old_python_is_refused(scripted: Scripted) -> None:
    scripted.say(
        json_frame({"hello": {"protocol": 2, "access": "change", "pid": 1, "python": "3.9.18"}})
    )
    with pytest.raises(ContactError, match=r"Python 3\.9\.18, which is too old") as caught:
        scripted.session()
    assert "3.10" in caught.value.hint


def test_no_greeting_in_time(scripted: Scripted) -> None:
    with pytest.raises(ContactError, match="could not be started"):
        scripted.session(timeout=0.1)


def test_events_bytes_and_result_arrive_in_order(scripted: Scripted) -> None:
    scripted.say(
        HELLO,
        json_frame({"id": 1, "event": {"step": 0, "phase": "started"}}),
        b"B\0\0\0\x03abc",
        json_frame({"id": 1, "event": {"step": 0, "phase": "ended", "outcome": "ok"}}),
        json_frame({"id": 1, "result": {"outcomes": [{"outcome": "ok"}]}}),
    )
    seen: list[object] = []
    result = scripted.session().request(
        "apply", {}, ApplyReply, timeout=10, on_event=seen.append, on_bytes=seen.append
    )
    assert seen == [StepEvent(0, "started"), b"abc", StepEvent(0, "ended", "ok")]
    assert result == ApplyReply((StepReply("ok"),))


def test_the_answer_to_another_request_breaks_the_session(scripted: Scripted) -> None:
    scripted.say(HELLO, json_frame({"id": 7, "result": {}}))
    session = scripted.session()
    with pytest.raises(ContactError, match="an answer to request 7 came") as caught:
        session.request("probe", {}, ProbeReply, timeout=10)
    assert caught.value.inside_step
    assert session.broken


def test_a_passed_deadline_breaks_the_session_at_once(scripted: Scripted) -> None:
    scripted.say(HELLO)
    session = scripted.session()
    with pytest.raises(ContactError, match="not answered in time") as caught:
        session.request("probe", {}, ProbeReply, timeout=0.1)
    assert caught.value.inside_step
    begin = time.monotonic()
    with pytest.raises(ContactError, match="lost before") as again:
        session.request("probe", {}, ProbeReply, timeout=10)
    assert not again.value.inside_step
    assert time.monotonic() - begin < 1


def test_a_host_that_reads_nothing_can_not_hold_an_upload(scripted: Scripted) -> None:
    scripted.say(HELLO)
    session = scripted.session()
    with pytest.raises(ContactError) as caught:
        session.request(
            "apply", {}, ApplyReply, timeout=0.3, upload=(bytes(CHUNK) for _ in range(10_000))
        )
    assert caught.value.inside_step


def test_what_json_can_not_hold_leaves_the_session_usable(local: Session) -> None:
    with pytest.raises(TypeError):
        local.request("exec", {"argv": [b"raw"]}, ExecReply, timeout=5)
    assert local.execute(["true"], timeout=5).exit_code == 0


def test_an_unknown_operation_is_a_step_error(local: Session) -> None:
    with pytest.raises(StepError, match="no operation 'dance'"):
        local.request("dance", {}, ExecReply, timeout=5)
    assert local.execute(["true"], timeout=5).exit_code == 0


def test_a_failing_callback_ends_the_work_on_the_host(local: Session) -> None:
    mark = "0.0001001"

    def fail(name: str, data: bytes) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        local.execute(["sh", "-c", f"echo x; exec sleep 300 {mark}"], timeout=60, on_output=fail)
    assert local.broken
    until(lambda: not running_with(mark), "the child to end")


def test_a_failing_upload_raises_its_own_error(local: Session) -> None:
    def source() -> Iterator[bytes]:
        yield b"first part"
        raise FileNotFoundError("image.tar")

    with pytest.raises(FileNotFoundError):
        local.execute(["cat"], timeout=10, upload=source())
    assert local.broken


def test_an_answer_before_the_end_of_the_upload_stops_it(local: Session) -> None:
    taken = []

    def source() -> Iterator[bytes]:
        for number in range(1_000_000):
            taken.append(number)
            yield bytes(CHUNK)

    assert local.execute(["head", "-c", "1"], timeout=30, upload=source()).exit_code == 0
    assert len(taken) < 1000
    assert local.execute(["echo", "next"], timeout=5).stdout == "next\n"


def test_requests_of_two_threads_take_turns(local: Session) -> None:
    def ask(word: str) -> None:
        answers[word] = [local.execute(["echo", word], timeout=20).stdout for _ in range(10)]

    answers: dict[str, list[str]] = {}
    threads = [threading.Thread(target=ask, args=(word,)) for word in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == {word: [f"{word}\n"] * 10 for word in ("one", "two", "three")}


def test_a_daemon_left_behind_does_not_hold_the_answer(local: Session) -> None:
    mark = "0.0001002"
    begin = time.monotonic()
    done = local.execute(["sh", "-c", f"echo started; sleep 300 {mark} & exit 4"], timeout=60)
    assert (done.exit_code, done.stdout, done.timed_out) == (4, "started\n", False)
    assert time.monotonic() - begin < 10
    for pid in running_with(mark):
        os.kill(pid, signal.SIGKILL)


def test_children_get_a_known_environment(local: Session) -> None:
    lines = local.execute(["env"], env={"EXTRA": "1"}, timeout=5).stdout.splitlines()
    names = {line.partition("=")[0] for line in lines}
    assert {"LC_ALL=C", "EXTRA=1"} <= set(lines)
    assert names <= {"PATH", "LC_ALL", "HOME", "USER", "EXTRA"}


def test_the_agent_ends_its_children_on_term(local: Session) -> None:
    mark = "0.0001003"
    with pytest.raises(ContactError) as caught:
        local.execute(
            ["sh", "-c", f"echo started; exec sleep 300 {mark}"],
            timeout=60,
            on_output=lambda name, data: os.kill(local.agent.pid, signal.SIGTERM),
        )
    assert caught.value.inside_step
    until(lambda: not running_with(mark), "the child to end")


def test_nothing_is_written_on_the_host(local: Session) -> None:
    open_files = [str(link.readlink()) for link in Path(f"/proc/{local.agent.pid}/fd").iterdir()]
    on_disk = [name for name in open_files if name.startswith("/") and "memfd:" not in name]
    assert any("memfd:kbz-agent" in name for name in open_files)
    assert on_disk == ["/dev/null"]


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_the_agent_runs_on_every_python_of_the_hosts(version: str) -> None:
    python = f"python{version}"
    # A version manager's shim may have the name without the program behind it.
    if not shutil.which(python) or subprocess.run([python, "-V"], check=False).returncode:
        pytest.skip(f"{python} is not installed here")
    link = LocalLink()
    extras = {"name": "db-01", "python": python}
    link.open("127.0.0.1", None, None, None, None, extras, MAY_CHANGE)
    try:
        assert link.connection.agent.python.startswith(version)
        assert link.connection.execute(["cat"], stdin="text", timeout=10).stdout == "text"
    finally:
        link.close()
