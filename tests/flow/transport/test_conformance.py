"""One suite for all connection plugins, against a real OpenSSH server and real processes."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from nornir.core.plugins.connections import ConnectionPluginRegister

from keybuzz.model.core.errors import ContactError, StepError
from keybuzz.transport.link import session_of
from keybuzz.transport.replies import ExecReply
from keybuzz.transport.session import Session
from tests.flow.support.connections import MAY_CHANGE, ROOT, SSH_LINKS, Loopback, Stubborn
from tests.flow.support.sshd import parent_of, until

MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_exit_codes_are_exact(session: Session, code: int) -> None:
    assert session.execute(["sh", "-c", f"exit {code}"], timeout=10).exit_code == code


def test_a_signal_is_told_from_an_exit_code(session: Session) -> None:
    assert session.execute(["sh", "-c", "kill -9 $$"], timeout=10).exit_code == -9


def test_arguments_arrive_as_they_are(session: Session) -> None:
    hostile = ["a b", "$(id)", "'\"", "*", "é\n", "", "-n", "\\"]
    code = "import sys, json; print(json.dumps(sys.argv[1:]))"
    done = session.execute(["python3", "-I", "-c", code, *hostile], timeout=20)
    assert done.stdout == '["a b", "$(id)", "\'\\"", "*", "\\u00e9\\n", "", "-n", "\\\\"]\n'


def test_input_is_passed_and_ends(session: Session) -> None:
    text = "première ligne\n" * 50_000
    done = session.execute(["cat"], stdin=text, timeout=20)
    assert done.stdout == text
    assert session.execute(["cat"], timeout=10).stdout == ""


def test_eight_megabytes_on_both_streams_at_once(session: Session) -> None:
    code = (
        "import os\n"
        "for n in range(2048):\n"
        "    os.write(1, b'%04x' % n * 1024)\n"
        "    os.write(2, b'%04X' % n * 1024)\n"
    )
    done = session.execute(["python3", "-I", "-c", code], timeout=60)
    assert done.exit_code == 0
    assert done.stdout == "".join(f"{n:04x}" * 1024 for n in range(2048))
    assert done.stderr == "".join(f"{n:04X}" * 1024 for n in range(2048))


def test_a_program_that_does_not_exist_is_a_step_error(session: Session) -> None:
    with pytest.raises(StepError, match="cannot be started") as caught:
        session.execute(["/nonexistent/program"], timeout=10)
    assert caught.value.where == "web-01"
    assert session.execute(["true"], timeout=10).exit_code == 0


def test_an_exception_in_the_agent_is_a_step_error(session: Session) -> None:
    with pytest.raises(StepError, match=r"TypeError: .* \(execute.py:\d+\)"):
        session.request("exec", {"argv": ["true"], "timeout": "soon"}, ExecReply, timeout=10)
    assert session.execute(["true"], timeout=10).exit_code == 0


def test_a_timeout_ends_the_command_and_its_children(session: Session, stubborn: Stubborn) -> None:
    seen: list[int] = []
    note = stubborn.once_started(lambda: seen.extend(stubborn.alive()))
    done = session.execute(stubborn.argv, timeout=1.5, on_output=note)
    assert (done.timed_out, done.exit_code, len(seen)) == (True, -signal.SIGKILL, 3)
    until(lambda: not stubborn.alive(), "the command and its children to end")
    assert session.execute(["true"], timeout=10).exit_code == 0


def test_a_deadline_of_ours_ends_it_too(own_session: Session, stubborn: Stubborn) -> None:
    request = {"argv": stubborn.argv, "timeout": 300}
    with pytest.raises(ContactError, match="not answered in time") as caught:
        own_session.request("exec", request, ExecReply, timeout=1.5)
    assert caught.value.inside_step
    until(lambda: not stubborn.alive(), "the command and its children to end")


def test_a_lost_link_ends_it_and_says_so(loopback: Loopback, link: str, stubborn: Stubborn) -> None:
    host = loopback.host(link)
    session = session_of(host, link, MAY_CHANGE)
    agent = session.agent.pid
    kill = (parent_of(agent), signal.SIGKILL) if link in SSH_LINKS else (agent, signal.SIGTERM)
    with pytest.raises(ContactError) as caught:
        session.execute(
            stubborn.argv, timeout=60, on_output=stubborn.once_started(lambda: os.kill(*kill))
        )
    assert caught.value.inside_step
    assert caught.value.where == "web-01"
    until(lambda: not stubborn.alive(), "the command and its children to end")
    with pytest.raises(ContactError) as again:
        session.execute(["true"], timeout=10)
    assert not again.value.inside_step
    fresh = session_of(host, link, MAY_CHANGE)
    assert fresh.agent.pid != agent
    assert fresh.execute(["true"], timeout=10).exit_code == 0


def test_closing_ends_it(own_session: Session, stubborn: Stubborn) -> None:
    with pytest.raises(ContactError):
        own_session.execute(
            stubborn.argv, timeout=60, on_output=stubborn.once_started(own_session.close)
        )
    until(lambda: not stubborn.alive(), "the command and its children to end")


def test_an_upload_that_nobody_reads_does_not_hide_the_end(
    own_session: Session, stubborn: Stubborn
) -> None:
    endless = (bytes(MEBIBYTE) for _ in iter(int, 1))
    request = {"argv": stubborn.argv, "timeout": 300}
    with pytest.raises(ContactError):
        own_session.request("exec", request, ExecReply, timeout=2, upload=endless)
    until(lambda: not stubborn.alive(), "the command and its children to end")


CONTROLLER = """\
import sys
from importlib import import_module
from tests.flow.support.connections import MAY_CHANGE
module, name, port, extras, argv = eval(sys.argv[1])
link = getattr(import_module(module), name)()
link.open("127.0.0.1", "root", None, port, None, extras, MAY_CHANGE)
link.connection.execute(argv, timeout=300)
"""


def test_a_killed_controller_leaves_nothing(
    loopback: Loopback, link: str, stubborn: Stubborn
) -> None:
    options = loopback.host(link).connection_options[link]
    plugin = ConnectionPluginRegister.get_plugin(link)
    plan = (plugin.__module__, plugin.__name__, loopback.server.port, options.extras, stubborn.argv)
    controller = subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, repr(plan)], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        # The controller has the mark among its own arguments.
        until(lambda: len(stubborn.alive()) == 4, "the command to run")
    finally:
        controller.kill()
        controller.wait(10)
    until(lambda: not stubborn.alive(), "the command and its children to end")


def test_a_second_request_uses_the_same_agent(loopback: Loopback, link: str) -> None:
    host = loopback.host(link)
    sessions = [session_of(host, link, MAY_CHANGE) for _ in range(2)]
    parents = [session.execute(["sh", "-c", "echo $PPID"], timeout=10) for session in sessions]
    assert sessions[0] is sessions[1]
    assert {int(done.stdout) for done in parents} == {sessions[0].agent.pid}


def test_one_channel_for_each_host(loopback: Loopback, link: str) -> None:
    """The server allows 4 sessions in a connection: eight hosts, with five requests each, fit."""

    def work(_: int) -> list[int]:
        session = loopback.session(link)
        return [session.execute(["true"], timeout=30).exit_code for _ in range(5)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [[0] * 5] * 8


def test_fifty_megabytes_go_up_in_little_memory(session: Session) -> None:
    piece, pieces = os.urandom(MEBIBYTE), 50
    digest = hashlib.sha256()

    def source() -> Iterator[bytes]:
        for _ in range(pieces):
            digest.update(piece)
            yield piece

    before = _peak(os.getpid(), reset=True)
    done = session.execute(["sha256sum"], timeout=120, upload=source())
    assert done.stdout.split()[0] == digest.hexdigest()
    assert _peak(os.getpid()) - before < 24 * MEBIBYTE
    assert _peak(session.agent.pid) < 48 * MEBIBYTE


def _peak(pid: int, *, reset: bool = False) -> int:
    """Return the highest resident size of a process so far, in bytes, since the last reset."""
    if reset:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
