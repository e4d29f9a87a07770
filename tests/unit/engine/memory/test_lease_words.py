"""What a lease says, whom it belongs to, and what it leaves in its folder; without a second process."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.memory import lock
from keybuzz.engine.memory.lock import Holder, at_work, lease_names, leases, read_holder
from keybuzz.model.core.errors import RefusedError, StoppedError
from keybuzz.model.inventory.server import Server
from tests.unit.support.site_values import memory_site

NOW = 1_000_000.0


def server(name: str, *groups: str) -> Server:
    return replace(memory_site().servers[0], name=name, groups=groups)


def written(path: Path, ago: float = 0.0, **more: object) -> Path:
    """Write a lease's record by hand; its last sign of life is that long ago."""
    record = {"owner": "me@here", "pid": 7, "command": "kbz run", "since": NOW - 60, **more}
    path.touch(mode=0o600)
    path.write_text(json.dumps(record))
    os.utime(path, (NOW - ago, NOW - ago))
    return path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a folder with leases that were held before: a new file is looked for in every process first."""
    folder = tmp_path / "leases"
    folder.mkdir(mode=0o700)
    for name in ("minio", "redis"):
        (folder / f"{name}.lease").touch(mode=0o600)
    return folder


@pytest.fixture
def at_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keybuzz.engine.memory.lock.time.time", lambda: NOW)


class TestNames:
    def test_a_server_has_the_leases_of_its_clusters_and_all_is_none(self) -> None:
        assert lease_names([server("a", "all", "redis", "minio")]) == ("minio", "redis")

    def test_halves_of_a_cluster_have_the_lease_of_the_whole(self) -> None:
        masters = server("m", "all", "k3s", "k3s-masters")
        assert lease_names([masters, server("w", "k3s", "k3s-workers")]) == ("k3s",)

    def test_a_name_that_only_begins_alike_is_another_cluster(self) -> None:
        assert lease_names([server("a", "redis", "redisgraph")]) == ("redis", "redisgraph")

    def test_a_server_without_a_cluster_has_its_own(self) -> None:
        assert lease_names([server("siem-01", "all"), server("bare")]) == ("bare", "siem-01")

    @given(st.lists(st.sampled_from(memory_site().servers)))
    def test_they_are_those_of_each_server_once_and_in_one_order(self, found: list[Server]) -> None:
        """Two runs that take several leases take them in the same order, so that neither waits for the other."""
        names = lease_names(found)
        assert list(names) == sorted(set(names))
        assert set(names) == {name for item in found for name in lease_names([item])}
        assert all(lease_names([item]) for item in found)


class TestAge:
    @pytest.mark.parametrize(
        ("seconds", "said"),
        [
            (-5.0, "0 s"),
            (0.0, "0 s"),
            (1.9, "1 s"),
            (119.9, "119 s"),
            (120.0, "2 min"),
            (7200.0, "120 min"),
        ],
    )
    def test_seconds_up_to_two_minutes_and_then_minutes(self, seconds: float, said: str) -> None:
        sentence = Holder("me", 7, "kbz run", NOW, NOW).sentence(NOW + seconds)
        assert sentence == f"me (pid 7, `kbz run`) for {said}, last sign of life {said} ago"


class TestRecord:
    def test_it_says_who_holds_it_and_nothing_of_who_held_it(self, state: Path) -> None:
        path = written(state / "redis.lease", command="kbz run redis " + "x" * 300)
        with leases(state, ("redis",), "kbz run"):
            found = read_holder(path)
            assert found is not None
            assert (found.pid, found.command) == (os.getpid(), "kbz run")
            assert abs(found.since - time.time()) < 60
        assert path.read_bytes() == b""

    @pytest.mark.parametrize(("size", "read"), [(65536, True), (65537, False)])
    def test_a_record_is_read_up_to_64_kib(self, state: Path, size: int, read: bool) -> None:
        path = written(state / "redis.lease")
        path.write_text(path.read_text().ljust(size))
        assert (read_holder(path) is not None) is read

    def test_it_makes_its_folder(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        with leases(tmp_path / "leases", ("redis",), "kbz run"):
            assert (tmp_path / "leases").stat().st_mode & 0o777 == 0o700


class TestHeartbeat:
    def beats(self) -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "heartbeat"]

    def test_it_ends_with_the_lease_and_keeps_no_process_alive(self, state: Path) -> None:
        with leases(state, ("redis",), "kbz run"):
            [beat] = self.beats()
            assert beat.daemon
        assert self.beats() == []

    def test_no_sign_of_life_is_written_after_the_lease_is_free(
        self, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ended: list[bool] = []

        def beat(held: list[int], stopped: threading.Event) -> None:
            stopped.wait(10)
            threading.Event().wait(0.05)  # a slow disk
            ended.append(all(os.fstat(descriptor) for descriptor in held))

        monkeypatch.setattr(lock, "_beat", beat)
        with leases(state, ("redis",), "kbz run"):
            assert ended == []
        assert ended == [True]

    def test_each_of_several_leases_gets_it(
        self, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lock, "_HEARTBEAT", 0.001)
        beaten: set[int] = set()
        both = threading.Event()

        def utime(descriptor: int) -> None:
            beaten.add(descriptor)
            if len(beaten) == 2:
                both.set()

        monkeypatch.setattr("keybuzz.engine.memory.lock.os.utime", utime)
        with leases(state, ("redis", "minio"), "kbz run"):
            assert both.wait(10)


class TestRemoved:
    def test_a_file_that_is_removed_while_it_is_locked_is_no_lease(
        self, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The name leads to no file then: the next run makes one, and would hold the same lease."""
        path, locks = state / "redis.lease", fcntl.flock

        def removed(descriptor: int, how: int) -> None:
            locks(descriptor, how)
            path.unlink(missing_ok=True)

        monkeypatch.setattr("keybuzz.engine.memory.lock.fcntl.flock", removed)
        with (
            pytest.raises(RefusedError, match="the lease on redis"),
            leases(state, ("redis",), "kbz run"),
        ):
            pytest.fail("it holds a lease without a file")


class TestRefused:
    def test_a_run_that_does_not_wait_is_refused_at_once_even_when_it_is_to_stop(
        self, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing passes on this clock: what waits at all would find the stop, or never end."""
        stop = threading.Event()
        stop.set()
        with leases(state, ("redis",), "kbz run redis"):
            monkeypatch.setattr("keybuzz.engine.memory.lock.time.monotonic", lambda: 5.0)
            with (
                pytest.raises(RefusedError, match="the lease on redis is held by") as refused,
                leases(state, ("redis",), "kbz run", stop=stop),
            ):
                pytest.fail("two runs at once")
        hint = "wait for it, or give --wait SECONDS; it ends with that process"
        assert refused.value.hint == hint

    def test_a_run_that_waits_ends_when_it_is_to_stop(self, state: Path) -> None:
        stop = threading.Event()
        stop.set()
        with (
            leases(state, ("redis",), "kbz run redis"),
            pytest.raises(StoppedError) as stopped,
            leases(state, ("redis",), "kbz run", 600.0, stop),
        ):
            pytest.fail("two runs at once")
        said = "stopped on request, while it waited for the lease on redis; nothing was changed"
        assert stopped.value.what == said

    def test_a_holder_that_has_written_nothing_yet_has_just_begun(self, state: Path) -> None:
        with leases(state, ("redis",), "kbz run redis"):
            (state / "redis.lease").write_bytes(b"")
            with (
                pytest.raises(RefusedError, match="is held by a run that has just begun"),
                leases(state, ("redis",), "kbz run"),
            ):
                pytest.fail("two runs at once")

    def test_what_fails_after_the_lock_was_taken_gives_it_back(
        self, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(*_: object) -> bool:
            raise RuntimeError("unexpected")

        with monkeypatch.context() as broken:
            broken.setattr(lock, "_is_at", fails)
            with pytest.raises(RuntimeError), leases(state, ("redis",), "kbz run"):
                pytest.fail("it is not known whose file it is")
        with leases(state, ("redis",), "kbz run"):
            pass


@pytest.mark.usefixtures("at_now")
class TestAtWork:
    @pytest.mark.parametrize(("ago", "told"), [(0.0, True), (14.0, True), (15.0, False)])
    def test_three_missed_signs_of_life_are_none(self, state: Path, ago: float, told: bool) -> None:
        written(state / "redis.lease", ago)
        assert bool(at_work(state, ("redis",))) is told

    def test_a_run_on_several_clusters_is_one_sentence(self, state: Path) -> None:
        for name in ("redis", "minio"):
            written(state / f"{name}.lease")
        written(state / "galera.lease", pid=8)
        assert at_work(state, ("redis", "galera", "minio", "k3s")) == (
            "`kbz run` (pid 7) was at work on redis, minio",
            "`kbz run` (pid 8) was at work on galera",
        )
