"""How kbz ends from outside: lost terminals hide no verdict, TERM and HUP are Ctrl-C, and no core dump is left."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeAlias

import pytest

from keybuzz.cli.support.endings import end_alike, first_one_stops, tell
from keybuzz.engine.cuts import heard
from keybuzz.model.core.outcome import ExitCode
from keybuzz.site.load import load_site
from tests.support.signals import to_main
from tests.unit.support.site_values import planted_configuration

ROOT = Path(__file__).parents[3]
START = f"""\
import sys
sys.path.insert(0, {str(ROOT)!r})
import signal
from keybuzz.cli import main
{{before}}
main.main()
"""
GOOD = ("inventory",)
BAD = ("policy", "check", "bad.yaml")
Stream: TypeAlias = int | IO[str]
VERDICT = ExitCode.REFUSED
"""Of the bad file."""
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    load_site(planted_configuration(tmp_path))
    (tmp_path / "bad.yaml").write_text("services:\n  a:\n    image: redis:latest\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(
    words: tuple[str, ...],
    before: str = "",
    *,
    stdout: Stream = subprocess.PIPE,
    stderr: Stream = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", START.format(before=before), *words]
    return subprocess.run(command, text=True, timeout=60, check=False, stdout=stdout, stderr=stderr)


def onto(stream: str, end: Stream, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run with one of the two streams ending there."""
    return run(words, stdout=end) if stream == "stdout" else run(words, stderr=end)


def gone() -> int:
    """Return the writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def test_the_words_of_these_tests_end_as_they_say(folder: Path) -> None:
    assert run(GOOD).returncode == ExitCode.GOOD
    assert run(BAD).returncode == VERDICT


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_closed_pipe_hides_no_verdict(folder: Path, stream: str) -> None:
    assert onto(stream, gone(), BAD).returncode == VERDICT
    assert onto(stream, gone(), GOOD).returncode == ExitCode.GOOD


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_full_disk_hides_no_verdict_and_makes_no_good_one(folder: Path, stream: str) -> None:
    with Path("/dev/full").open("w") as full:
        assert onto(stream, full, BAD).returncode == VERDICT
        done = onto(stream, full, GOOD)
    if stream == "stdout":
        assert done.returncode == ExitCode.FAILED
        assert "could not be written to stdout: No space left" in done.stderr
    else:
        assert done.returncode == ExitCode.GOOD


def test_streams_that_were_closed_before_the_start_are_given_to_no_file(folder: Path) -> None:
    command = (
        f"exec {sys.executable} - {' '.join(BAD)} >&- 2>&- <<'E'\n{START.format(before='')}E\n"
    )
    done = subprocess.run(["sh", "-c", command], timeout=60, check=False)
    assert done.returncode == VERDICT
    for path in folder.rglob("*"):
        if path.is_file():
            assert b"policy" not in path.read_bytes() or path.name == "nornir_config.yaml"


def test_a_lost_terminal_hides_no_verdict(folder: Path) -> None:
    """What is written to a terminal whose other end is closed fails with EIO."""
    ours, theirs = os.openpty()
    os.close(ours)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        os.write(theirs, b"x")
    assert run(BAD, stdout=theirs, stderr=theirs).returncode == VERDICT
    os.close(theirs)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_a_look_as_ctrl_c_does(folder: Path, number: int) -> None:
    kill = f"import os\nmain.cli.main = lambda *a, **k: os.kill(os.getpid(), {number})"
    done = run(GOOD, kill)
    assert (done.returncode, done.stderr) == (ExitCode.INTERRUPTED, "interrupted\n")


def test_what_is_ignored_from_the_start_stays_ignored(folder: Path) -> None:
    """`nohup kbz run …` outlives its terminal."""
    before = (
        "import os\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "plain = main.cli.main\n"
        "def act(*a, **k):\n    os.kill(os.getpid(), signal.SIGHUP)\n    return plain(*a, **k)\n"
        "main.cli.main = act"
    )
    assert run(GOOD, before).returncode == ExitCode.GOOD


@pytest.fixture
def handlers() -> Iterator[None]:
    """The handlers of a process that has just begun, though the session of these tests has one of its own for TERM."""
    before = {number: signal.getsignal(number) for number in ENDING}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("first", ENDING)
def test_the_first_signal_stops_and_only_a_second_one_of_a_person_cuts(
    first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keybuzz.cli.support.endings._ONE_WISH", 600.0)
    end_alike()
    stop = threading.Event()
    said: list[str] = []
    with first_one_stops(stop, said.append):
        to_main(first)
        assert stop.is_set()
        assert len(said) == 1
        to_main(signal.SIGHUP)  # a terminal that is closed sends more than one
        with pytest.raises(KeyboardInterrupt):
            to_main(signal.SIGTERM)
        to_main(signal.SIGINT)  # together with the one before: it is no further wish
    assert {signal.getsignal(number) for number in ENDING} == {signal.default_int_handler}


@pytest.mark.usefixtures("handlers")
def test_an_ignored_signal_is_not_heard() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert signal.SIGHUP not in heard()
    with first_one_stops(threading.Event(), print):
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_no_core_dump_is_left(folder: Path) -> None:
    """Neither of kbz nor of what it starts, though the shell that started it allows them."""
    before = """\
import resource
_, most = resource.getrlimit(resource.RLIMIT_CORE)
resource.setrlimit(resource.RLIMIT_CORE, (most, most))
plain = main.cli.main
def act(*words, **names):
    print(resource.getrlimit(resource.RLIMIT_CORE)[0])
    print(int(open("/proc/self/coredump_filter").read(), 16))
    return plain(*words, **names)
main.cli.main = act"""
    assert run(GOOD, before).stdout.startswith("0\n0\n")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def test_a_sentence_goes_to_a_descriptor_that_takes_it(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    tell("stopping", writing)
    assert os.read(reading, 100) == b"stopping\n"


def fill(writing: int) -> None:
    """Write to a pipe until it takes no more; it blocks its writer again afterwards."""
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"." * 4096)
    os.set_blocking(writing, True)


def test_a_full_pipe_is_not_waited_for(pipe: tuple[int, int]) -> None:
    """Were it, this test would not end: nobody reads."""
    reading, writing = pipe
    fill(writing)
    tell("stopping", writing)
    assert b"stopping" not in os.read(reading, 1 << 20)


def test_a_sentence_that_nobody_can_take_raises_nothing() -> None:
    unread = gone()
    tell("stopping", unread)
    os.close(unread)
    tell("stopping", unread)
    tell("stopping", -1)
