"""The agent's look at its host, over planted files of the kernel."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from keybuzz.agent.readings import system_look
from keybuzz.agent.runtime.context import Context

MOUNTS = r"""
23 1 254:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
24 23 0:21 / /proc rw - proc proc rw
25 23 0:22 / /sys ro - sysfs sysfs ro
26 23 0:23 / /dev rw - devtmpfs udev rw
27 26 0:24 / /dev/shm rw - tmpfs tmpfs rw
28 23 0:25 / /run rw - tmpfs tmpfs rw
29 28 0:26 / /run/user/0 rw - tmpfs tmpfs rw
30 23 8:16 / /opt/keybuzz/postgres/data ro,noatime - xfs /dev/sdb rw
31 23 8:32 / /srv/two\040words rw - xfs /dev/sdc ro
32 23 0:40 / /var/lib/docker/overlay2/abc/merged rw - overlay overlay rw
33 23 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro
34 23 0:50 / /mnt/far rw - nfs4 10.0.0.9:/x rw
35 23 8:48 / /var/lib/docker rw - ext4 /dev/sdd rw
""".strip()
KILLED = (
    "6,1000,{at},-;Out of memory: Killed process 4711 (postgres) total-vm:1kB\n"
    " SUBSYSTEM=memory\n"
)  # fmt: skip


def test_the_mounts_that_matter_and_which_of_them_take_no_writes() -> None:
    assert dict(system_look.mounts(MOUNTS)) == {
        "/": False,
        "/run": False,
        "/opt/keybuzz/postgres/data": True,
        "/srv/two words": True,
        "/var/lib/docker": False,
    }


def test_a_file_system_counts_once_and_a_read_only_place_of_it_too(tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    deep.mkdir()
    lines = [
        f"1 0 254:1 / {deep} ro - ext4 /dev/a rw",
        f"2 0 254:1 / {tmp_path} rw - ext4 /dev/a rw",
        f"3 0 254:1 / {tmp_path}/deep rw - ext4 /dev/a rw",
        f"4 0 254:9 / {tmp_path}/gone rw - ext4 /dev/b rw",
    ]
    file = tmp_path / "mountinfo"
    file.write_text("\n".join(lines))
    found = list(system_look.disks(str(file)))
    assert [(disk["path"], disk["read_only"]) for disk in found] == [
        (str(tmp_path), False),
        (str(deep), True),
    ]
    df = subprocess.run(
        ["df", "--output=pcent", str(tmp_path)], capture_output=True, text=True, check=True
    )
    told = int(df.stdout.split()[1].rstrip("%"))
    assert told - 1 <= found[0]["used"] <= told


def test_memory_in_bytes() -> None:
    text = "MemTotal:       16384 kB\nMemFree:  1 kB\nMemAvailable:    4096 kB\n"
    assert system_look.memory(text) == {"total": 16 * 2**20, "available": 4 * 2**20}


def test_only_kills_within_the_time_are_told() -> None:
    messages = [KILLED.format(at=5_000_000), KILLED.format(at=50_000_000), "6,2,3,-;eth0: up\n"]
    assert system_look.killed(iter(messages), since=10.0) == ["postgres"]
    assert system_look.killed(iter(messages), since=0.0) == ["postgres", "postgres"]
    assert system_look.killed(iter(messages), since=60.0) == []


def test_a_log_of_the_kernel_that_is_none_is_not_read(tmp_path: Path) -> None:
    """In a container /dev/kmsg may be a pipe, on which a reader would wait."""
    assert system_look.oom_kills(60, str(tmp_path / "none")) is None
    os.mkfifo(tmp_path / "pipe")
    assert system_look.oom_kills(60, str(tmp_path / "pipe")) is None


@pytest.mark.parametrize(
    ("name", "text", "asked"),
    [
        ("a.conf", "[Time]\nNTP=10.0.9.9 time.example\n#NTP=10.0.0.1\n", ["10.0.9.9", "time.example"]),
        ("b.conf", "[Time]\nFallbackNTP = 10.0.9.8\nRootDistanceMaxSec=5.5\n", ["10.0.9.8"]),
        ("chrony.conf", "pool time.example iburst\nserver 10.0.9.7 prefer\n", ["10.0.9.7", "time.example"]),
    ],
)  # fmt: skip
def test_whom_a_host_asks_for_the_time(
    tmp_path: Path, name: str, text: str, asked: list[str]
) -> None:
    (tmp_path / name).write_text(text)
    assert system_look.time_servers((str(tmp_path), str(tmp_path / "none"))) == asked


def test_the_resolvers_are_what_a_running_resolved_says(tmp_path: Path) -> None:
    text = "# by systemd-resolved\nnameserver 1.1.1.1\nnameserver 2001:db8::1\nsearch .\n"
    (tmp_path / "resolv.conf").write_text(text)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "io.systemd.Resolve"))
        assert system_look.resolvers(str(tmp_path)) is None
        server.listen()
        assert system_look.resolvers(str(tmp_path)) == ["1.1.1.1", "2001:db8::1"]


def test_the_clock_is_judged_as_adjtimex_tells() -> None:
    """The second word of a struct of longs behind the offset is the largest error; a sandbox may let nobody ask."""
    program = (
        "import ctypes; b = (ctypes.c_long * 32)(); print(ctypes.CDLL(None).adjtimex(b), b[3])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    state, error = (int(word) for word in done.stdout.split())
    expected = None if state < 0 else error < 16_000_000
    assert system_look.clock_synchronised() is expected


def test_a_python_without_ctypes_can_not_ask_for_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert system_look.clock_synchronised() is None


def test_it_all_works_on_this_machine_and_a_silent_docker_is_no_problem() -> None:
    context = Context("00", None)  # type: ignore[arg-type]  # nothing is sent
    context.docker.path = "/nowhere/docker.sock"
    found = system_look.look({"seconds": 60.0}, context)
    assert found["containers"] is None
    assert found["disks"]
    assert found["memory"]["available"] <= found["memory"]["total"]
    assert found["kernel"] == os.uname().release
