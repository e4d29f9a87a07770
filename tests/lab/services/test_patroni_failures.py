"""The running cluster, broken as clusters break: failover, interruptions, lost hosts, two operators, a locked door."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.lab.conftest import DB, Kbz, until
from tests.lab.ledgers.ledger import Ledger
from tests.lab.support.patroni_cluster import CONFIGURATION, DATA, PATIENCE, leader, repaired

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("cluster")]


class TestFailover:
    def test_leader_killed(self, kbz: Kbz) -> None:
        """Another leads within ttl, no acknowledged row is lost, the old leader follows with its data."""
        old = leader(kbz)
        assert old is not None
        identity = kbz.on(old, f"stat -c '%i %W' {DATA}/PG_VERSION")
        with Ledger(kbz) as ledger:
            for _ in range(50):
                ledger.write()
            kbz.good("lab", "fault", "kill-container", old, "patroni")
            took = until(lambda: leader(kbz) not in (None, old), PATIENCE, "another member leads")
            for _ in range(50):
                ledger.write()
            new = leader(kbz)
            assert new is not None
            before = kbz.on(new, "docker inspect -f '{{.Id}} {{.State.StartedAt}}' patroni")
            document = repaired(kbz).json()
            assert document["hosts"][new]["outcome"] == "ok"
            assert document["hosts"][old]["outcome"] == "changed"
            assert kbz.on(new, "docker inspect -f '{{.Id}} {{.State.StartedAt}}' patroni") == before
            assert kbz.on(old, f"stat -c '%i %W' {DATA}/PG_VERSION") == identity
            assert ledger.missing() == set()
        assert leader(kbz) == new
        print(f"another member led after {took:.0f} s")

    @pytest.mark.long
    def test_leader_host_loses_power(self, kbz: Kbz) -> None:
        old = leader(kbz)
        assert old is not None
        with Ledger(kbz) as ledger:
            for _ in range(20):
                ledger.write()
            kbz.good("lab", "fault", "stop", old)
            until(lambda: leader(kbz) not in (None, old), PATIENCE, "another member leads")
            ledger.write()
            assert ledger.missing() == set()
            kbz.good("lab", "fault", "start", old)
            repaired(kbz)
            assert ledger.missing() == set()


class TestInterruption:
    """Module base restarts Docker, and with it a member of a cluster that it knows nothing of."""

    EDIT = "sed -i 's/20m/21m/' /etc/docker/daemon.json"

    def test_a_leader_hands_over_before_its_docker_restarts(self, kbz: Kbz) -> None:
        old = leader(kbz)
        assert old is not None
        kbz.on(old, self.EDIT)
        with Ledger(kbz) as ledger:
            for _ in range(20):
                ledger.write()
            done = kbz.good("run", "-v", "patroni", "--limit", "db")
            assert f"hand over from {old}" in done.stderr
            assert f"restart Docker on {old}" in done.stderr
            assert ledger.missing() == set()
        assert leader(kbz) not in (None, old)
        assert repaired(kbz).json()["plan"]["size"] == 0

    def test_a_restart_that_the_quorum_forbids_waits_for_the_member_that_is_down(
        self, kbz: Kbz
    ) -> None:
        now = leader(kbz)
        away, other = [host for host in DB if host != now]
        kbz.on(away, "docker rm -f patroni")
        kbz.on(other, self.EDIT)
        done = kbz.good("run", "-v", "patroni", "--limit", "db")
        assert "put off until the others are done" in done.stderr
        assert done.stderr.index("container:patroni") < done.stderr.index(
            f"base: restart Docker on {other}"
        )
        assert repaired(kbz).json()["plan"]["size"] == 0


class TestStop:
    def test_a_stop_ends_postgresql_and_not_by_force(self, kbz: Kbz) -> None:
        """Exit code 0 is Patroni's own end; 137 would be Docker's patience."""
        host = next(host for host in DB if host != leader(kbz))
        kbz.on(host, "docker stop -t 60 patroni")
        assert kbz.on(host, "docker inspect -f '{{.State.ExitCode}}' patroni").strip() == "0"
        assert repaired(kbz).json()["hosts"][host]["outcome"] == "changed"


class TestTwoAtOnce:
    def test_the_second_run_is_refused_with_the_owner(self, kbz: Kbz) -> None:
        kbz.on("db-slave-01", "docker rm -f patroni")
        with subprocess.Popen(
            [sys.executable, "-m", "tests.lab.support.stepping", str(kbz.config), "patroni", "db"],
            stdout=subprocess.PIPE,
            text=True,
        ) as first:
            assert first.stdout is not None
            assert first.stdout.readline().startswith("stage ")
            second = kbz("run", "patroni", "--limit", "db")
            assert second.code == 3
            assert f"pid {first.pid}" in second.stderr
            assert "for " in second.stderr
            waiting = threading.Thread(target=first.stdout.read)
            waiting.start()
            third = kbz("run", "patroni", "--limit", "db", "--wait", "120")
            waiting.join()
            assert first.wait(timeout=120) == 0
        assert third.code == 0, third.stdout + third.stderr


class TestUnreachable:
    def test_one_host_away(self, kbz: Kbz) -> None:
        """The others are reported, nothing that quorum does not allow is touched, exit code 4."""
        kbz.good("lab", "fault", "cut", "db-slave-02")
        away = "db-slave-02"
        try:
            until(lambda: leader(kbz) in set(DB) - {away}, PATIENCE, "a leader among the rest")
            others = [host for host in DB if host != away]
            kbz.on(others[0], f"sed -i 's/^# Managed/# Edited/' {CONFIGURATION}")
            before = {h: kbz.on(h, "docker inspect -f '{{.Id}}' patroni") for h in others}
            done = kbz("run", "patroni", "--limit", "db", "--format", "json")
            assert done.code == 4
            hosts = done.json()["hosts"]
            assert hosts[away]["outcome"] == "unreachable"
            assert hosts[others[0]]["outcome"] == "changed"
            assert hosts[others[1]]["outcome"] == "ok"
            assert {h: kbz.on(h, "docker inspect -f '{{.Id}}' patroni") for h in others} == before
        finally:
            kbz.good("lab", "fault", "restore", away)
        until(lambda: kbz("health", "patroni").code == 0, 120, "the cluster is whole again")
        assert repaired(kbz).json()["plan"]["size"] == 0


class TestInterrupt:
    def test_ctrl_c_stops_after_the_step_and_resume_goes_on(self, kbz: Kbz, tmp_path: Path) -> None:
        kbz.on("db-slave-01", "docker rm -f patroni")
        log = tmp_path / "stderr"
        with (
            log.open("w") as stderr,
            subprocess.Popen(
                kbz.argv("run", "-v", "patroni", "--limit", "db"),
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            ) as run,
        ):
            until(lambda: "patroni: start" in log.read_text(), 60, "the stage begins")
            run.send_signal(signal.SIGINT)
            output, _ = run.communicate(timeout=60)
        assert run.returncode == 130, output
        assert "kbz resume" in output
        resumed = kbz("resume")
        assert resumed.code == 0, resumed.stdout + resumed.stderr
        newest = kbz("history", "--verb", "run", "--last", "2", "--format", "json").json()["runs"]
        assert [record["exit_code"] for record in newest] == [0, 130]


class TestDeadMan:
    def test_a_firewall_that_locks_us_out_undoes_itself(self, kbz: Kbz) -> None:
        """Apply, through the product's own step, a firewall without our SSH rule; the host takes it back."""
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "tests.lab.support.lock_out", str(kbz.config), "db-slave-02"],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert "outcome unknown" in done.stdout, done.stdout + done.stderr
        assert "takes the change back" in done.stdout
        until(
            lambda: kbz("exec", "--limit", "db-slave-02", "--", "true").code == 0, 90, "SSH is back"
        )
        assert time.monotonic() - started < 150
        # The host is reachable before the last command of its undo has ended.
        until(
            lambda: kbz("plan", "patroni", "--limit", "db-slave-02").code == 0, 60, "it has ended"
        )
        assert repaired(kbz).json()["hosts"]["db-slave-02"]["outcome"] == "ok"
