"""Leases with real files and real processes: one run per cluster, and a dead one leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from keybuzz.engine.memory.lock import Holder, leases, read_holder
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.outcome import ExitCode

ROOT = Path(__file__).parents[4]
HOLD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from keybuzz.engine.memory.lock import leases
with leases(Path(sys.argv[2]), tuple(sys.argv[3:]), "kbz run redis"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder: Path, *names: str) -> Iterator[subprocess.Popen[str]]:
    """Run another process that holds leases until its stdin closes."""
    command = [sys.executable, "-c", HOLD, str(ROOT), str(folder), *names]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout
    assert process.stdin
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(10)


def free(folder: Path, *names: str) -> bool:
    try:
        with leases(folder, names, "kbz run"):
            return True
    except RefusedError:
        return False


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def test_a_second_run_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    with holder(tmp_path, "patroni") as other:
        with pytest.raises(RefusedError) as caught, leases(tmp_path, ("patroni",), "kbz run"):
            pytest.fail("two runs at once")
        message = str(caught.value)
        assert caught.value.code is ExitCode.REFUSED
        assert "the lease on patroni is held by " in message
        assert f"(pid {other.pid}, `kbz run redis`) for " in message
        assert "last sign of life " in message
        assert "--wait SECONDS" in message
        found = read_holder(tmp_path / "patroni.lease")
        assert found is not None
        assert found.pid == other.pid
        assert "@" in found.owner
        assert abs(time.time() - found.since) < 60


def test_it_is_free_after_a_good_end(tmp_path: Path) -> None:
    with holder(tmp_path, "patroni"):
        assert not free(tmp_path, "patroni")
    assert free(tmp_path, "patroni")
    assert read_holder(tmp_path / "patroni.lease") is None


def test_kill_9_frees_it(tmp_path: Path) -> None:
    with holder(tmp_path, "patroni", "redis") as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait(10)
        assert free(tmp_path, "patroni")
        assert free(tmp_path, "redis")


def test_waiting_takes_it_when_it_becomes_free(tmp_path: Path) -> None:
    with holder(tmp_path, "patroni") as other:
        command = [sys.executable, "-c", HOLD.replace('redis")', 'redis", 20.0)'), str(ROOT)]
        waiting = subprocess.Popen(
            [*command, str(tmp_path), "patroni"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with waiting:
            assert waiting.stdout
            assert waiting.stdin
            assert not free(tmp_path, "patroni")
            assert waiting.poll() is None
            os.kill(other.pid, signal.SIGKILL)
            assert waiting.stdout.readline() == "held\n"
            waiting.stdin.close()
            assert waiting.wait(10) == 0


def test_waiting_ends_with_a_refusal_when_its_time_is_over(tmp_path: Path) -> None:
    with holder(tmp_path, "patroni"):
        started = time.monotonic()
        with pytest.raises(RefusedError), leases(tmp_path, ("patroni",), "kbz run", wait=0.3):
            pytest.fail("two runs at once")
        assert time.monotonic() - started >= 0.3


def test_other_clusters_are_not_in_the_way(tmp_path: Path) -> None:
    with holder(tmp_path, "patroni"):
        assert free(tmp_path, "redis")
        assert not free(tmp_path, "redis", "patroni")
        assert free(tmp_path, "redis"), "a refused run must give back what it has taken already"


def test_a_name_twice_is_one_lease(tmp_path: Path) -> None:
    with leases(tmp_path, ("patroni", "patroni"), "kbz run"):
        assert not free(tmp_path, "patroni")


def test_an_error_inside_frees_it(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), leases(tmp_path, ("patroni",), "kbz run"):
        raise ZeroDivisionError
    assert free(tmp_path, "patroni")


def test_a_child_of_the_run_does_not_keep_it(tmp_path: Path) -> None:
    with leases(tmp_path, ("patroni",), "kbz run"):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        assert free(tmp_path, "patroni")
    finally:
        child.kill()
        child.wait(10)


def test_the_heartbeat_shows_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keybuzz.engine.memory.lock._HEARTBEAT", 0.01)
    path = tmp_path / "patroni.lease"
    with leases(tmp_path, ("patroni",), "kbz run"):
        os.utime(path, (0, 0))

        def beats() -> bool:
            found = read_holder(path)
            return found is not None and found.heartbeat > 1

        until(beats, "a sign of life")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"owner": "x"}', b"\xff"])
def test_a_damaged_file_is_no_holder(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "patroni.lease").write_bytes(content)
    assert read_holder(tmp_path / "patroni.lease") is None
    assert free(tmp_path, "patroni")


def test_a_holder_in_words() -> None:
    found = Holder("me@here", 7, "kbz run", since=1000.0, heartbeat=1590.0)
    assert found.sentence(1600.0) == (
        "me@here (pid 7, `kbz run`) for 10 min, last sign of life 10 s ago"
    )
    assert "for 0 s" in found.sentence(0.0)
