"""A small real lab of two servers, beside any other lab of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from keybuzz.lab import fault, lab
from keybuzz.lab.hosts import host, readiness
from keybuzz.lab.hosts.cgroup import ControlGroup
from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network import inside
from keybuzz.lab.status import status
from keybuzz.model.core.errors import KbzError, RefusedError
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.model.inventory.server import Server

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces and containers need root"),
]

CACHE = Path("/var/cache/kbz-lab")


def a_server(name: str, address: str) -> Server:
    return Server(
        name=name,
        address=IPv4Address(address),
        public_address=IPv4Address("203.0.113.1"),
        fqdn=f"{name}.keybuzz.io",
        environment="prod",
        user="root",
        pool="db-pool",
        role="db",
        subrole="postgres",
        stack="patroni-node",
        core=True,
        notes="",
        line=2,
    )


ONE = a_server("db-master-01", "10.0.0.120")
TWO = a_server("db-slave-01", "10.0.0.121")


def silent(host: str, sentence: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def settings() -> Iterator[LabSettings]:
    """Always at the same place, so that what a crashed session left is found and removed by the next."""
    place = LabSettings("kbz-selftest", Path("/var/lib/kbz-selftest"), CACHE)
    gone(place)
    lab.up(place, [ONE, TWO], silent)
    try:
        yield place
    finally:
        gone(place)


def gone(place: LabSettings) -> None:
    lab.down(place, silent)
    lab.wipe(place, silent)


def ssh(settings: LabSettings, server: Server, command: str) -> str:
    """Log in as the controller does: from its namespace, with its key, host key pinned."""
    options = {
        "UserKnownHostsFile": settings.known_hosts,
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    done = subprocess.run(
        [
            *("ip", "netns", "exec", settings.name),
            *("ssh", "-F", "none", "-i", str(settings.private_key), *words),
            *(f"root@{server.address}", command),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def load_small_image(settings: LabSettings, server: Server) -> None:
    """Make an image of the host's own shell, without any registry."""
    files = "bin/sh lib/x86_64-linux-gnu/libc.so.6 lib64/ld-linux-x86-64.so.2 bin/sleep"
    script = f"tar -ch -C / {files} | docker import - shell:1"
    inside.capture(settings, server.name, ["sh", "-c", script])


def test_a_server_answers_pinned_ssh_and_has_booted_whole(settings: LabSettings) -> None:
    assert ssh(settings, ONE, "hostname --fqdn") == ONE.fqdn
    assert ssh(settings, ONE, "systemctl is-system-running") == "running"
    assert ssh(settings, ONE, "docker info --format '{{.Driver}} {{.CgroupVersion}}'") == (
        "overlay2 2"
    )
    rows = status(settings, [ONE, TWO])
    assert [(row.state, row.ssh, row.cable) for row in rows] == [("running", True, True)] * 2


def test_a_second_up_leaves_running_servers_alone(settings: LabSettings) -> None:
    before = [host.leader(settings, server.name) for server in (ONE, TWO)]
    lab.up(settings, [ONE, TWO], silent)
    assert [host.leader(settings, server.name) for server in (ONE, TWO)] == before


def test_servers_see_each_other_and_nothing_else(settings: LabSettings) -> None:
    assert inside.execute(settings, ONE.name, ["ping", "-qc1", "-W2", str(TWO.address)]) == 0
    assert inside.execute(settings, ONE.name, ["ip", "route", "get", "192.0.2.1"]) != 0
    outside = subprocess.run(
        ["ip", "netns", "exec", settings.name, "ip", "route", "get", "192.0.2.1"],
        capture_output=True,
        check=False,
    )
    assert outside.returncode != 0


def test_a_program_enters_the_controllers_network(settings: LabSettings) -> None:
    program = (
        "import socket; from pathlib import Path; from keybuzz.lab.network import namespace;"
        "from keybuzz.model.inventory.lab import LabSettings;"
        f"namespace.enter(LabSettings({settings.name!r}, Path('/'), Path('/')));"
        f"print(socket.create_connection(({str(TWO.address)!r}, 22), 5).getsockname()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "10.0.0.1"


def test_a_command_inside_gives_its_code_back(settings: LabSettings) -> None:
    assert inside.execute(settings, ONE.name, ["sh", "-c", "exit 7"]) == 7
    with pytest.raises(KbzError, match="does not run"):
        inside.execute(settings, "redis-01", ["true"])


REACHING = {
    "the clock": "python3 -c 'import time; time.clock_settime(time.CLOCK_REALTIME, time.time())'",
    "a kernel module": "python3 -c 'import ctypes; raise SystemExit(ctypes.CDLL(None).syscall(175, 0, 0, 0) == -1)'",
    "the kernel's log": "dmesg --clear",
    "a kernel setting": "echo 100 >/proc/sys/kernel/threads-max",
    "memory settings": "sysctl -w vm.swappiness=60",
    "the request key": "[ -e /proc/sysrq-trigger ] && [ ! -c /proc/sysrq-trigger ]",
    "the kernel's memory": "head -c 1 /proc/kcore | grep -q .",
}


@pytest.mark.parametrize("what", REACHING)
def test_a_command_inside_reaches_neither_clock_nor_kernel(
    settings: LabSettings, what: str
) -> None:
    assert inside.execute(settings, ONE.name, ["sh", "-c", REACHING[what]]) != 0


def test_a_command_inside_does_what_a_server_may(settings: LabSettings) -> None:
    script = (
        "sysctl -qw net.ipv4.tcp_fin_timeout=33 && mkdir -p /srv/fenced && "
        "mount -t tmpfs tmpfs /srv/fenced && touch /srv/fenced/here"
    )
    assert inside.execute(settings, ONE.name, ["sh", "-c", script]) == 0
    seen = "test -e /srv/fenced/here && sysctl -n net.ipv4.tcp_fin_timeout && umount /srv/fenced"
    assert inside.capture(settings, ONE.name, ["sh", "-c", seen]) == "33\n"
    assert inside.execute(settings, ONE.name, ["test", "-e", "/srv/fenced/here"]) == 1


def test_the_init_of_a_host_is_told_from_what_it_has_just_cloned(
    settings: LabSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clone may have a smaller id, and is gone a moment later."""
    found = host.leader(settings, ONE.name)
    members = ControlGroup.members
    with subprocess.Popen(["/bin/sleep", "60"]) as clone:
        ids = (1, clone.pid)
        monkeypatch.setattr(
            ControlGroup, "members", lambda self, part: (*ids, *members(self, part))
        )
        assert host.leader(settings, ONE.name) == found
        clone.kill()


def test_a_command_inside_sees_the_boot_of_its_own_host(settings: LabSettings) -> None:
    ask = ["cat", "/proc/sys/kernel/random/boot_id"]
    boots = {inside.capture(settings, server.name, ask) for server in (ONE, TWO)}
    here = Path(ask[1]).read_text(encoding="ascii")
    assert len(boots | {here}) == 3


@pytest.mark.parametrize("part", ["machine/supervisor", "machine/payload/init.scope", "keeper"])
def test_up_repairs_a_server_whose_parts_were_killed(settings: LabSettings, part: str) -> None:
    inside.capture(settings, TWO.name, ["sh", "-c", f"echo kept > /root/{Path(part).name}; sync"])
    for pid in host.group(settings, TWO.name).members(part):
        os.kill(pid, 9)
    lab.up(settings, [TWO], silent)
    assert ssh(settings, TWO, f"cat /root/{Path(part).name}") == "kept"


def test_a_plug_that_was_pulled_loses_no_container(settings: LabSettings) -> None:
    load_small_image(settings, TWO)
    start = "docker run -d --name calm --network host --restart always shell:1 sleep 1000"
    inside.capture(settings, TWO.name, start.split())
    fault.stop_host(settings, TWO.name)
    (row,) = status(settings, [TWO])
    assert (row.state, row.processes) == ("off", 0)
    fault.start_host(settings, TWO, silent)
    assert ssh(settings, TWO, "docker inspect -f '{{.State.Status}}' calm") == "running"


def test_two_callers_at_once_start_a_server_once(settings: LabSettings) -> None:
    fault.stop_host(settings, TWO.name)
    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(lab.up, settings, [TWO], silent) for _ in range(2)]
    assert [job.exception() for job in jobs] == [None, None]
    assert len(host.group(settings, TWO.name).members("machine/supervisor")) == 1


def test_a_reboot_brings_the_server_back_without_its_packet_filter(settings: LabSettings) -> None:
    before = host.leader(settings, TWO.name)
    inside.capture(settings, TWO.name, ["nft", "add", "table", "inet", "leftover"])
    inside.execute(settings, TWO.name, ["systemctl", "reboot"])
    deadline = time.monotonic() + 60
    while host.leader(settings, TWO.name) in (None, before):
        assert time.monotonic() < deadline, "it did not come back"
        time.sleep(0.1)
    assert readiness.wait_until_ready(settings, TWO, 60) == ""
    assert "leftover" not in inside.capture(settings, TWO.name, ["nft", "list", "tables"])


def test_a_killed_container_is_seen_by_its_restart_policy(settings: LabSettings) -> None:
    load_small_image(settings, ONE)
    start = "docker run -d --name fragile --network host shell:1 sleep 1000"
    inside.capture(settings, ONE.name, start.split())
    fault.kill_container(settings, ONE.name, "fragile")
    assert ssh(settings, ONE, "docker inspect -f '{{.State.ExitCode}}' fragile") == "137"


def test_a_cut_cable_and_a_mended_one(settings: LabSettings) -> None:
    fault.cut_link(settings, TWO.name)
    assert not readiness.answers_ssh(settings, TWO, seconds=0.5)
    assert inside.execute(settings, TWO.name, ["true"]) == 0, "the host itself lives on"
    fault.restore_link(settings, TWO.name)
    assert readiness.answers_ssh(settings, TWO)


def test_lost_packets_are_lost_until_the_loss_ends(settings: LabSettings) -> None:
    def received() -> int:
        script = (
            f"ping -qc60 -i0.01 -W5 {TWO.address} | sed -n 's/.* \\([0-9]*\\) received.*/\\1/p'"
        )
        return int(inside.capture(settings, ONE.name, ["sh", "-c", script]))

    fault.lose(settings, TWO.name, 50)
    assert received() < 40
    fault.lose(settings, TWO.name, 0)
    assert received() == 60


def test_a_fault_fills_the_hosts_own_disk_and_not_this_machine(settings: LabSettings) -> None:
    """The file of a disk takes the room of what was written, and the filler is all holes."""
    with pytest.raises(RefusedError, match="its disk has") as refused:
        fault.fill_disk(settings, ONE.name, 2**60)
    allowed = int(str(refused.value.hint).split()[-1])
    assert allowed > 15 * 2**30
    before = os.statvfs(settings.root).f_bavail
    fault.fill_disk(settings, ONE.name, allowed)
    assert int(ssh(settings, ONE, "df --output=pcent /").split()[-1].rstrip("%")) >= 99
    taken = (before - os.statvfs(settings.root).f_bavail) * os.statvfs(settings.root).f_frsize
    assert taken < 2**28
    fault.free_disk(settings, ONE.name)
    assert ssh(settings, ONE, "ls /var/lib/docker | grep -c kbz-fault; true") == "0"


def test_a_reset_server_is_bare_and_its_neighbour_untouched(settings: LabSettings) -> None:
    neighbour = host.leader(settings, ONE.name)
    inside.capture(settings, TWO.name, ["touch", "/root/old"])
    old_key = ssh(settings, TWO, "cat /etc/ssh/ssh_host_ed25519_key.pub")
    lab.reset(settings, [TWO], silent)
    assert ssh(settings, TWO, "ls /root") == ""
    assert ssh(settings, TWO, "docker ps -aq") == ""
    assert ssh(settings, TWO, "cat /etc/ssh/ssh_host_ed25519_key.pub") != old_key
    assert host.leader(settings, ONE.name) == neighbour


def test_down_leaves_disks_and_nothing_else(settings: LabSettings) -> None:
    inside.capture(settings, ONE.name, ["touch", "/root/kept"])
    lab.down(settings, silent)
    assert not [path for path in NAMESPACES.iterdir() if path.name.startswith(settings.name)]
    assert str(settings.root) not in Path("/proc/self/mounts").read_text()
    assert not host.group(settings, ONE.name).path.exists()
    assert not host.group(settings, TWO.name).path.parent.exists()
    lab.up(settings, [ONE], silent)
    assert ssh(settings, ONE, "ls /root") == "kept"
