"""One sick thing of a host: it is waited for once, named, and everything else is answered."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from keybuzz.agent.guard import mounts, opener
from keybuzz.agent.guard.silence import Silence
from keybuzz.agent.readings import system_look
from keybuzz.agent.readings.table import answer
from keybuzz.agent.runtime import probe
from keybuzz.agent.runtime.context import Context
from keybuzz.model.core.secret import Secret
from tasks.galera.service.resources import MysqlAccess, MysqlUser
from tasks.redis.agent import resp
from tasks.redis.service.readings import RedisQuery
from tasks.redis.service.resources import RedisAccess

KEY = "aa" * 32
KERNEL = ctypes.CDLL(None, use_errno=True)
DETACH = 2


def look(resources: list[Any] | None = None, readings: list[Any] | None = None) -> dict[str, Any]:
    request = {"key": KEY, "resources": resources or [], "readings": readings or []}
    return probe.run(request, cast("Any", None))


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Yield a port that takes connections, as a daemon that was stopped by SIGSTOP, and never says a word."""
    monkeypatch.setattr(resp.Connection.call, "__kwdefaults__", {"timeout": 0.3})
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def redis(port: int, name: str = "redis") -> dict[str, Any]:
    return RedisQuery(name, "127.0.0.1", port, (("INFO", "replication"),)).query()


def asked(server: socket.socket) -> int:
    """Return how many connections were made."""
    server.setblocking(False)
    taken = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return taken
        taken += 1


@dataclass
class Share:
    """A mount of FUSE whose program never answers."""

    point: Path
    device: int

    def die(self) -> None:
        """Close the program's side: a waiting call gets ENOTCONN."""
        if self.device >= 0:
            os.close(self.device)
        self.device = -1


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Share]:
    point = tmp_path / "share one"
    point.mkdir()
    found = Share(point, os.open("/dev/fuse", os.O_RDWR))
    options = f"fd={found.device},rootmode=40000,user_id=0,group_id=0".encode()
    try:
        if KERNEL.mount(b"kbz-test", os.fsencode(point), b"fuse", 0, options) != 0:
            pytest.skip(f"FUSE cannot be mounted here: {os.strerror(ctypes.get_errno())}")
        yield found
    finally:
        found.die()
        KERNEL.umount2(os.fsencode(point), DETACH)
        mounts.forget()


@pytest.fixture
def hung(share: Share, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the mount point."""
    monkeypatch.setattr(mounts, "PATIENCE", 0.5)
    mounts.forget()
    return share.point


class TestPorts:
    def test_the_first_late_answer_counts_for_all_that_ask_the_same_port(
        self, silent: socket.socket
    ) -> None:
        port = silent.getsockname()[1]
        secret = Secret("REDIS_PASSWORD", "x")
        asks = [redis(port, f"redis-{number}") for number in range(5)]
        access = MysqlAccess("127.0.0.1", "root", secret, port)
        users = [MysqlUser(access, f"user-{n}", secret, ()).query() for n in range(3)]
        found = look(users, [*asks, {"kind": "listing", "name": "tmp", "path": "/tmp"}])
        problems = [item["problem"] for item in (*found["states"], *found["answers"][:-1])]
        assert asked(silent) == 1
        assert problems[0]
        assert "is silent" not in problems[0]
        assert all(f"127.0.0.1:{port} is silent" in why for why in problems[1:]), problems
        assert found["answers"][-1]["value"]["there"] is True

    def test_a_hung_sentinel_does_not_make_its_redis_silent(self) -> None:
        access = RedisAccess("127.0.0.1", Secret("REDIS_PASSWORD", "x"))
        monitor = {"kind": "sentinel-monitor", "name": "kb-redis-master", **access.order()}
        silence = Silence()
        silence.note(monitor, TimeoutError("timed out"))
        assert "127.0.0.1:26379 is silent" in silence.of(monitor)
        assert silence.of(redis(access.port)) == ""

    def test_one_that_refuses_is_not_silent_and_the_next_look_asks_again(
        self, silent: socket.socket
    ) -> None:
        port = silent.getsockname()[1]
        ask = redis(port)
        look(readings=[ask])
        look(readings=[ask])
        assert asked(silent) == 2
        silent.close()
        first, second = look(readings=[ask, ask])["answers"]
        assert "refused" in first["problem"]
        assert first == second

    def test_after_something_was_written_it_is_asked_again(self, silent: socket.socket) -> None:
        port = silent.getsockname()[1]
        ask = redis(port)
        context = Context(KEY, cast("Any", None))
        answer(ask, context)
        assert "is silent" in answer(ask, context)["problem"]
        context.forget()
        assert "is silent" not in answer(ask, context)["problem"]
        assert asked(silent) == 2


class TestMounts:
    def test_what_lies_there_is_left_out_and_all_else_is_answered(
        self, hung: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "link").symlink_to(hung / "deep")
        (tmp_path / "file").write_text("here")
        begun = time.monotonic()
        paths = (hung, hung / "data", tmp_path / "link" / "x", tmp_path)
        asks = [{"kind": "listing", "name": str(path), "path": str(path)} for path in paths]
        found = look(
            readings=[*asks, {"kind": "text", "name": "t", "path": str(tmp_path / "file")}]
        )
        there = found["answers"]
        assert all(f"{hung} (fuse) does not answer" in item["problem"] for item in there[:3]), there
        assert there[3]["value"]["names"] == ["file", "link", "share one"]
        assert there[4]["value"]["text"] == "here"
        assert time.monotonic() - begun < 2 * mounts.PATIENCE, "it was waited for once"

    def test_it_is_named_and_asked_by_one_thread_however_many_looks_there_are(
        self, hung: Path
    ) -> None:
        begun = time.monotonic()
        for _ in range(4):
            mounts.forget()
            assert mounts.sick() == {
                str(hung): f"{hung} (fuse) does not answer: what asks for it hangs"
            }
        assert time.monotonic() - begun < 2 * mounts.PATIENCE
        assert all(disk["path"] != str(hung) for disk in system_look.disks())

    def test_the_way_out_of_the_finding_ends_it(self, hung: Path) -> None:
        assert mounts.sick()
        subprocess.run(["umount", "-l", str(hung)], check=True, timeout=20)
        mounts.forget()
        assert mounts.sick() == {}
        assert opener.names(str(hung)) == []

    def test_one_whose_program_died_is_named_with_the_error(self, hung: Path, share: Share) -> None:
        share.die()
        assert mounts.sick() == {
            str(hung): f"{hung} (fuse) answers with an error: Transport endpoint is not connected"
        }

    def test_only_mounts_that_another_program_serves_are_asked(self) -> None:
        text = (
            "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
            "30 24 0:40 / /sys/fs/fuse/connections rw - fusectl fusectl rw\n"
            "31 24 0:41 / /mnt/a\\040b rw - nfs4 10.0.0.9:/x rw\n"
            "32 24 0:42 / /mnt/f rw shared:3 - fuse.sshfs x rw\n"
        )
        assert list(mounts.away(text)) == [("/mnt/a b", "nfs4"), ("/mnt/f", "fuse.sshfs")]

    @pytest.mark.parametrize(
        ("written", "point"),
        [
            (r"/mnt/a\040b\134c\012d", "/mnt/a b\\c\nd"),
            ("/mnt/été", "/mnt/été"),
            ("/mnt/\udcff\\040x", "/mnt/\udcff x"),
            ("/mnt/line\u2028end", "/mnt/line\u2028end"),
        ],
    )
    def test_a_name_of_any_bytes_is_read_as_it_is(self, written: str, point: str) -> None:
        line = f"31 24 0:41 / {written} rw - nfs4 10.0.0.9:/x rw\n"
        assert list(mounts.away(line)) == [(point, "nfs4")]

    def test_a_line_that_is_cut_off_is_left_out(self) -> None:
        assert list(mounts.entries("31 24 0:41 / /mnt/x rw - nfs4\n\n7 -\n")) == []
