"""Single commands without the agent: what `kbz exec` promises, over a real sshd."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from nornir.core.configuration import Config
from nornir.core.plugins.connections import ConnectionPluginRegister

from keybuzz.agent.runtime.children import PATH
from keybuzz.model.core.errors import ContactError
from keybuzz.model.core.redact import Redactor
from keybuzz.model.core.secret import Secret
from keybuzz.transport.meeting import Meeting
from keybuzz.transport.shell import Shell
from tests.flow.support.connections import MAY_CHANGE, SHELL_LINK, Loopback, Stubborn
from tests.flow.support.sshd import descendants, parent_of, until

MEBIBYTE = 1 << 20
FIRST_WORDS = 6
"""Processes with the mark in their words: the guard, its watch, `timeout`, and the command with its two children."""


def open_shell(loopback: Loopback, config: Config | None = None, **extras: str) -> Shell:
    found: Shell = loopback.host(SHELL_LINK, **extras).get_connection(
        SHELL_LINK, config or MAY_CHANGE
    )
    return found


@pytest.fixture(scope="module")
def shell(loopback: Loopback) -> Shell:
    """One connection for all tests that must leave it usable: each of them tests the one before."""
    return open_shell(loopback)


def guard_of(stubborn: Stubborn) -> int:
    """Return the pid of the guard, once all runs: the one whose parent has no part in it."""
    until(lambda: len(stubborn.alive()) == FIRST_WORDS, "the guard and its command to run")
    alive = set(stubborn.alive())
    return next(pid for pid in alive if parent_of(pid) not in alive)


@pytest.mark.parametrize("code", [0, 1, 7, 124, 255])
def test_exit_codes_are_exact(shell: Shell, code: int) -> None:
    done = shell.execute(["sh", "-c", f"exit {code}"], timeout=10)
    assert (done.exit_code, done.timed_out) == (code, False)


def test_a_signal_is_told_as_a_shell_tells_it(shell: Shell) -> None:
    assert shell.execute(["sh", "-c", "kill -9 $$"], timeout=10).exit_code == 128 + signal.SIGKILL


def test_arguments_arrive_as_they_are(shell: Shell) -> None:
    hostile = ["a b", "$(id)", "'\"", "*", "é\n", "", "-n", "\\", "!x"]
    code = "import sys, json; print(json.dumps(sys.argv[1:], ensure_ascii=False))"
    done = shell.execute(["python3", "-I", "-X", "utf8", "-c", code, *hostile], timeout=20)
    assert done.stdout == '["a b", "$(id)", "\'\\"", "*", "é\\n", "", "-n", "\\\\", "!x"]\n'


def test_a_command_that_reads_finds_nothing(shell: Shell) -> None:
    assert shell.execute(["cat"], timeout=10).stdout == ""


def test_eight_megabytes_on_both_streams_at_once(shell: Shell) -> None:
    code = "import os\nfor n in range(2048):\n    os.write(2, b'e' * 4096)\n    os.write(1, b'o' * 4096)\n"
    done = shell.execute(["python3", "-I", "-c", code], timeout=60)
    assert (done.exit_code, len(done.stdout), len(done.stderr)) == (0, 8 * MEBIBYTE, 8 * MEBIBYTE)


def test_all_errors_before_any_output(shell: Shell) -> None:
    """More than a channel's window of one stream, while the other one is waited for."""
    script = "head -c 9000000 /dev/zero >&2; echo out"
    done = shell.execute(["sh", "-c", script], timeout=60)
    assert (done.exit_code, done.stdout, len(done.stderr)) == (0, "out\n", 9_000_000)


@pytest.mark.parametrize("word", ["nonesuch", "/nonexistent/program"])
def test_a_program_that_does_not_exist_is_named(shell: Shell, word: str) -> None:
    done = shell.execute([word], timeout=10)
    assert done.exit_code == 127
    assert done.stderr.startswith(f"{word} cannot be started")


def test_the_environment_is_known(shell: Shell) -> None:
    done = shell.execute(["sh", "-c", 'echo "$PATH $LC_ALL $HOME"'], timeout=10)
    assert done.stdout == f"{PATH} C {Path.home()}\n"


def test_a_timeout_ends_the_command_and_its_children(shell: Shell, stubborn: Stubborn) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(shell.execute, stubborn.argv, timeout=1.5)
        guard_of(stubborn)
        done = running.result(20)
    assert (done.timed_out, done.exit_code, done.stdout) == (True, 137, "started\n")
    until(lambda: not stubborn.alive(), "the command and its children to end")
    assert shell.execute(["true"], timeout=10).exit_code == 0


def test_a_daemon_left_behind_does_not_hold_the_answer(shell: Shell, stubborn: Stubborn) -> None:
    started = time.monotonic()
    done = shell.execute(["sh", "-c", f"setsid sleep 8 {stubborn.mark} & echo there"], timeout=60)
    assert (done.exit_code, done.stdout) == (0, "there\n")
    assert time.monotonic() - started < 8
    for pid in stubborn.alive():
        os.kill(pid, signal.SIGKILL)


def test_a_lost_link_ends_it_and_says_so(loopback: Loopback, stubborn: Stubborn) -> None:
    shell = open_shell(loopback)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(shell.execute, stubborn.argv, timeout=300)
        os.kill(parent_of(guard_of(stubborn)), signal.SIGKILL)
        with pytest.raises(ContactError, match="contact was lost") as caught:
            running.result(20)
    assert (caught.value.inside_step, caught.value.where) == (True, "web-01")
    until(lambda: not stubborn.alive(), "the command and its children to end")
    with pytest.raises(ContactError, match="lost before") as again:
        shell.execute(["true"], timeout=10)
    assert not again.value.inside_step


def test_closing_ends_it(loopback: Loopback, stubborn: Stubborn) -> None:
    shell = open_shell(loopback)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(shell.execute, stubborn.argv, timeout=300)
        guard_of(stubborn)
        shell.close()
        with pytest.raises(ContactError):
            running.result(20)
    until(lambda: not stubborn.alive(), "the command and its children to end")


def test_nothing_is_left_after_a_command(shell: Shell, loopback: Loopback) -> None:
    shell.execute(["true"], timeout=10)
    names = {Path(f"/proc/{pid}/comm") for pid in descendants(loopback.server.pid)}
    until(
        lambda: not [n for n in names if n.exists() and n.read_text().strip() in ("sh", "timeout")],
        "the guard to end",
    )


def test_many_commands_at_once_need_no_more_channels_than_a_server_gives(
    loopback: Loopback,
) -> None:
    """The server allows 4 sessions in a connection: eight hosts, with five commands each, fit."""

    def work(_: int) -> list[int]:
        shell = open_shell(loopback)
        return [shell.execute(["true"], timeout=30).exit_code for _ in range(5)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [[0] * 5] * 8


class Spoken:
    """A channel whose command has ended, with what came on it."""

    def __init__(self, stdout: bytes, code: int) -> None:
        self.status_event = Event()
        self.status_event.set()
        self._pieces = [stdout, b""]
        self._code = code

    def settimeout(self, timeout: float) -> None:
        del timeout

    def recv(self, size: int) -> bytes:
        del size
        return self._pieces.pop(0)

    def recv_stderr(self, size: int) -> bytes:
        raise AssertionError(size)

    def recv_stderr_ready(self) -> bool:
        return False

    def exit_status_ready(self) -> bool:
        return True

    def recv_exit_status(self) -> int:
        return self._code

    def close(self) -> None:
        """Nothing to close."""


def spoken(stdout: bytes, code: int) -> Shell:
    return Shell(
        lambda words: Spoken(stdout, code),
        lambda: None,
        where="web-01",
        hide=lambda value: value,
        meeting=Meeting(),
    )


def test_what_a_login_script_prints_is_no_output_of_the_command() -> None:
    done = spoken(b"Welcome to web-01!\n\0kbz - web-01\n7\n", 0).execute(["id"])
    assert (done.stdout, done.exit_code) == ("7\n", 0)


def test_a_user_without_a_shell_is_told_in_the_hosts_words() -> None:
    with pytest.raises(ContactError, match="This account is currently not available"):
        spoken(b"This account is currently not available.\n", 1).execute(["id"])


def test_an_end_without_an_exit_code_is_a_lost_contact() -> None:
    shell = spoken(b"\0kbz - web-01\nhalf", -1)
    with pytest.raises(ContactError, match="contact was lost") as caught:
        shell.execute(["id"])
    assert (caught.value.inside_step, shell.broken) == (True, True)


def test_no_python_is_needed(loopback: Loopback) -> None:
    shell = open_shell(loopback, python="/nonexistent/python3")
    assert shell.execute(["echo", "here"], timeout=10).stdout == "here\n"


def test_secrets_are_hidden_in_both_streams(loopback: Loopback) -> None:
    secret = Secret("planted", "planted-Kx81")
    shell = open_shell(
        loopback, Config(user_defined={**MAY_CHANGE.user_defined, "redactor": Redactor((secret,))})
    )
    done = shell.execute(["sh", "-c", "echo planted-Kx81; echo planted-Kx81 >&2"], timeout=10)
    assert "Kx81" not in done.stdout + done.stderr
    assert done.stdout != ""


def test_the_plugin_is_registered_under_its_name() -> None:
    assert ConnectionPluginRegister.get_plugin(SHELL_LINK).__name__ == "SshShellLink"
