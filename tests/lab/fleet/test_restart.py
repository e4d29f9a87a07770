"""Restarts and replaced machines on real servers, under a ledger of acknowledged writes.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.conftest import DB, Kbz, until
from tests.lab.ledgers.ledger import Ledger
from tests.lab.support.machines import put_new_machine
from tests.lab.support.patroni_cluster import DATA, containers, leader

pytestmark = pytest.mark.lab

RAFT = f"{DATA.rpartition('/')[0]}/raft"
BOOT = "cat /proc/sys/kernel/random/boot_id"
PROXIES = "docker inspect -f '{{.Id}} {{.State.StartedAt}}' haproxy pgbouncer"
PATRONI = "docker inspect -f '{{.Id}} {{.State.StartedAt}}' patroni"


@pytest.fixture(scope="module")
def kbz(postgres_lab: Kbz) -> Kbz:
    """A Patroni cluster and its two entry hosts, whatever ran before."""
    postgres_lab.good("run", "patroni", "--limit", "db")
    postgres_lab.good("run", "postgres-proxy", "--limit", "haproxy")
    return postgres_lab


@contextmanager
def writing(kbz: Kbz) -> Iterator[Ledger]:
    """Write rows during the block; at its end every acknowledged one must be there."""
    stop = threading.Event()
    broken: list[Exception] = []
    with Ledger(kbz) as ledger:

        def work() -> None:
            try:
                while not stop.is_set():
                    ledger.write()
                    stop.wait(0.02)
            except Exception as error:
                broken.append(error)

        thread = threading.Thread(target=work, name="ledger")
        thread.start()
        try:
            yield ledger
        finally:
            stop.set()
            thread.join(90)
        assert broken == []
        assert ledger.rows() > 0
        assert ledger.missing() == set()


def joined(kbz: Kbz, host: str) -> None:
    """Run Patroni there: the data comes from the leader, and the others are not touched."""
    others = [name for name in DB if name != host]
    until(lambda: leader(kbz) in others, 90, "one of the others leads")
    before = {name: kbz.on(name, PATRONI) for name in others}
    leading = leader(kbz)
    assert leading is not None
    number = kbz.on(leading, f"head -c 8 {DATA}/global/pg_control | od -An -tu8")
    done = kbz.good("run", "-v", "patroni", "--limit", host)
    assert "are well, to be joined" in done.stderr
    assert {name: kbz.on(name, PATRONI) for name in others} == before
    assert leader(kbz) == leading
    assert kbz.on(host, f"head -c 8 {DATA}/global/pg_control | od -An -tu8") == number
    kbz.good("health", "patroni")


class TestRestart:
    def test_patroni_each_container_once_the_leader_last_no_row_lost(self, kbz: Kbz) -> None:
        before, old = containers(kbz), leader(kbz)
        with writing(kbz):
            done = kbz.good("restart", "-v", "patroni")
        after = containers(kbz)
        for host in DB:
            assert before[host].split()[0] == after[host].split()[0], "the same container"
            assert before[host].split()[1] != after[host].split()[1], "started again"
        order = [
            line.split()[-1] for line in done.stderr.splitlines() if "restart patroni on" in line
        ]
        assert len(order) == 3
        assert order[-1] == old
        assert done.stderr.count("container-restart:patroni") == 3
        assert "4 changes made" in done.stdout, "three restarts and a hand-over"

    def test_a_host_is_rebooted_and_its_cluster_is_whole_again(self, kbz: Kbz) -> None:
        boots = {host: kbz.on(host, BOOT) for host in DB}
        with writing(kbz):
            kbz.good("restart", "db-slave-01")
        now = {host: kbz.on(host, BOOT) for host in DB}
        assert {host for host in DB if now[host] != boots[host]} == {"db-slave-01"}
        kbz.good("health", "patroni")

    def test_killed_in_the_middle_resume_does_not_repeat(self, kbz: Kbz, tmp_path: Path) -> None:
        log = tmp_path / "stderr"
        with (
            log.open("w") as stderr,
            subprocess.Popen(
                kbz.argv("restart", "-v", "patroni"), stdout=subprocess.DEVNULL, stderr=stderr
            ) as run,
        ):
            until(lambda: log.read_text().count("✓ db-") == 1, 90, "the first has restarted")
            run.send_signal(signal.SIGKILL)
        first = next(line.split()[2] for line in log.read_text().splitlines() if "✓ db-" in line)
        before = kbz.on(first, PATRONI)
        done = kbz.good("resume")
        assert kbz.on(first, PATRONI) == before
        assert done.stderr.count("container-restart:patroni") == 2

    def test_a_red_group_is_not_restarted(self, kbz: Kbz) -> None:
        away = next(host for host in DB if host != leader(kbz))
        kbz.on(away, "docker stop -t 60 patroni")
        before = containers(kbz)
        done = kbz("restart", "patroni")
        assert done.code == 3, done.stdout + done.stderr
        assert "nothing was restarted" in done.stdout + done.stderr
        assert containers(kbz) == before
        kbz.good("run", "patroni", "--limit", "db")

    def test_a_word_that_is_nothing(self, kbz: Kbz) -> None:
        done = kbz("restart", "patrony")
        assert done.code == 64
        assert "did you mean patroni" in done.stderr


class TestReplaced:
    @pytest.mark.long
    def test_a_replica(self, kbz: Kbz) -> None:
        host = next(host for host in DB if host != leader(kbz))
        with writing(kbz):
            put_new_machine(kbz, host, "patroni")
            joined(kbz, host)

    def test_the_former_leader(self, kbz: Kbz) -> None:
        host = leader(kbz)
        assert host is not None
        with writing(kbz):
            put_new_machine(kbz, host, "patroni")
            log = f"{RAFT}/10.0.0.120:7000.journal"
            kbz.on(host, f"mkdir -p {RAFT} && touch {log}")
            refused = kbz("run", "patroni", "--limit", host)
            assert refused.code == 3, refused.stdout + refused.stderr
            assert "holds the RAFT log of an earlier life" in refused.stdout
            kbz.on(host, f"rm {log}")
            joined(kbz, host)

    def test_data_of_another_cluster_on_a_kept_volume_is_refused(self, kbz: Kbz) -> None:
        host = next(host for host in DB if host != leader(kbz))
        control = f"{DATA}/global/pg_control"
        kbz.on(host, f"docker stop -t 60 patroni; cp -p {control} /root/kept")
        kbz.on(host, f"printf AAAAAAAA | dd of={control} bs=8 count=1 conv=notrunc")
        try:
            done = kbz("run", "patroni", "--limit", host)
            assert done.code == 3, done.stdout + done.stderr
            assert "its data is of another cluster" in done.stdout
        finally:
            kbz.on(host, f"cp -p /root/kept {control}")
        kbz.good("run", "patroni", "--limit", "db")

    @pytest.mark.long
    def test_haproxy_01_and_the_other_is_never_touched(self, kbz: Kbz) -> None:
        before = kbz.on("haproxy-02", PROXIES)
        put_new_machine(kbz, "haproxy-01", "postgres-proxy")
        done = kbz.good("run", "-v", "postgres-proxy", "--limit", "haproxy-01")
        assert "✓ haproxy-02 can carry all sessions, while haproxy-01 is built" in done.stderr
        assert kbz.on("haproxy-02", PROXIES) == before
        kbz.good("health", "postgres-proxy")
