"""Drills on real servers: each scenario on the leader, refused on a red cluster, and Ctrl-C in the middle.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import Done, Kbz, until
from tests.lab.support.adopting import with_own_policies
from tests.lab.support.patroni_cluster import leader

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def kbz(postgres_lab: Kbz) -> Kbz:
    """A Patroni cluster and its two entry hosts, whatever ran before."""
    postgres_lab.good("run", "patroni", "--limit", "db")
    postgres_lab.good("run", "postgres-proxy", "--limit", "haproxy")
    return postgres_lab


def drill(kbz: Kbz, name: str, *words: str) -> Done:
    return kbz("drill", name, "--confirm", name, "--format", "json", *words, timeout=900)


def trial_of(done: Done) -> dict[str, Any]:
    """Return the one trial of a drill, which must have ended well."""
    assert done.code == 0, done.stdout + done.stderr
    [trial] = done.json()["trials"]
    assert trial["verdict"] == "recovered"
    assert trial["restored"] is True
    assert trial["acknowledged"] >= 20
    assert trial["seconds_without_writes"] >= 0
    found: dict[str, Any] = trial
    return found


def assert_whole(kbz: Kbz) -> None:
    kbz.good("health", "patroni", "--limit", "db")
    tables = "select count(*) from pg_tables where tablename like 'kbz_drill%'"
    now = leader(kbz)
    assert now is not None
    script = (
        f'docker exec patroni psql -h /var/run/postgresql -U kb_admin -d keybuzz -Atc "{tables}"'
    )
    assert kbz.on(now, script).strip() == "0", "the probe's table is removed"


class TestRefused:
    def test_without_a_typed_name_and_without_a_terminal(self, kbz: Kbz) -> None:
        done = kbz("drill", "patroni", "--scenario", "switchover")
        assert done.code == 3
        assert "--confirm patroni" in done.stderr

    def test_on_a_red_cluster_nothing_is_broken(self, kbz: Kbz) -> None:
        now = leader(kbz)
        away = "db-slave-01" if now != "db-slave-01" else "db-slave-02"
        kbz.on(away, "docker stop -t 60 patroni")
        done = drill(kbz, "patroni", "--scenario", "container-killed")
        assert done.code == 3
        assert "a drill begins on a green cluster only" in done.stderr
        assert away in done.stderr
        assert leader(kbz) == now
        kbz.on(away, "docker start patroni")
        until(lambda: kbz("health", "patroni").code == 0, 120, "the cluster is whole again")


class TestScenarios:
    def test_graceful_switchover_loses_nothing_and_another_leads(self, kbz: Kbz) -> None:
        trial = trial_of(drill(kbz, "patroni", "--scenario", "switchover"))
        assert trial["lost"] == 0
        assert trial["durability_promised"] is True
        assert trial["leader_before"] == trial["victim"] != trial["leader_after"]
        assert_whole(kbz)

    def test_a_switchover_goes_to_the_named_member(self, kbz: Kbz) -> None:
        before = leader(kbz)
        to = "db-slave-02" if before != "db-slave-02" else "db-slave-01"
        done = kbz.good("switchover", "patroni", "--to", to, "--format", "json").json()
        told = done["handover"]
        assert (told["before"], told["after"], leader(kbz)) == (before, to, to)
        assert told["lost"] == 0
        assert told["acknowledged"] >= 10
        assert told["seconds_without_writes"] is not None, told["not_measured"]
        assert_whole(kbz)
        again = kbz.good("switchover", "patroni", "--to", to)
        assert "leads already" in again.stdout

    @pytest.mark.long
    def test_leaders_container_dies_as_in_a_crash(self, kbz: Kbz) -> None:
        """Docker starts it again by itself: that a kill is no stop by hand is what this shows."""
        trial = trial_of(drill(kbz, "patroni", "--scenario", "container-killed"))
        assert trial["leader_after"]
        assert_whole(kbz)

    def test_leaders_link_is_cut_and_it_refuses_writes_alone(self, kbz: Kbz) -> None:
        trial = trial_of(drill(kbz, "patroni", "--scenario", "link-cut"))
        assert trial["isolated_write_accepted"] is False
        assert trial["leader_after"] not in ("", trial["victim"])
        assert trial["seconds_without_writes"] > 1
        assert_whole(kbz)

    def test_leaders_host_loses_power(self, kbz: Kbz) -> None:
        trial = trial_of(drill(kbz, "patroni", "--scenario", "host-killed"))
        assert trial["leader_after"] not in ("", trial["victim"])
        assert_whole(kbz)

    @pytest.mark.long
    def test_one_entry_host_dies_and_the_endpoint_keeps_answering(self, kbz: Kbz) -> None:
        trial = trial_of(drill(kbz, "haproxy", "--scenario", "host-killed"))
        assert trial["victim"] == "haproxy-02"
        assert trial["lost"] == 0
        kbz.good("health", "postgres-proxy")

    def test_a_pool_dies_and_the_other_takes_its_clients(self, kbz: Kbz) -> None:
        trial = trial_of(drill(kbz, "pgbouncer", "--scenario", "container-stopped"))
        assert trial["victim"] == "haproxy-02"
        assert trial["lost"] == 0
        kbz.good("health", "postgres-proxy")

    def test_a_scenario_that_means_nothing_is_told_and_is_no_success(self, kbz: Kbz) -> None:
        done = drill(kbz, "haproxy", "--scenario", "switchover")
        assert done.code == 3
        [trial] = done.json()["trials"]
        assert trial["verdict"] == "not available"
        assert "has no leader" in trial["messages"][0]


class TestMaintenance:
    def test_it_hands_over_and_is_expected_away(self, kbz: Kbz) -> None:
        """By a site of its own, whose policies.yaml may be edited."""
        kbz = with_own_policies(kbz)
        host = leader(kbz)
        assert host is not None
        words = ("--reason", "a new disk is put in", "--until", "1h", "--format", "json")
        assert kbz.good("maintenance", "on", host, *words).json()["hosts"][host]["changed"] == 1
        assert leader(kbz) not in (None, host)
        other = next(name for name in ("db-slave-01", "db-slave-02") if name != host)
        refused = kbz("maintenance", "on", other, *words)
        assert refused.code == 3
        assert "patroni has no spare" in refused.stderr
        kbz.on(host, "docker stop -t 60 patroni")
        health = ("health", "patroni", "--limit", "db", "--format", "json")
        until(lambda: kbz(*health).code == 0, 60, "the other replica streams from the new leader")
        told = kbz.good(*health).json()
        assert list(told["in_maintenance"]) == [host]
        assert kbz("drift", "patroni", "--limit", "db").code == 0
        kbz.on(host, "docker start patroni")
        kbz.good("maintenance", "off", host)
        until(lambda: kbz("health", "patroni", "--limit", "db").code == 0, 120, "all are whole")
        assert "no host is in maintenance" in kbz.good("maintenance").stdout


class TestInterrupt:
    def test_ctrl_c_in_the_middle_restores(self, kbz: Kbz, tmp_path: Path) -> None:
        old = leader(kbz)
        assert old is not None
        log = tmp_path / "stderr"
        words = ("drill", "patroni", "--scenario", "container-stopped", "--confirm", "patroni")
        with (
            log.open("w") as stderr,
            subprocess.Popen(
                kbz.argv(*words), stdout=subprocess.PIPE, stderr=stderr, text=True
            ) as run,
        ):
            until(lambda: f"container-stopped: {old}" in log.read_text(), 120, "the fault")
            run.send_signal(signal.SIGINT)
            run.send_signal(signal.SIGINT)
            output, _ = run.communicate(timeout=400)
        assert run.returncode == 130, output + log.read_text()
        assert "stopped on request" in output
        assert "green at the end" in output
        assert "NOT green" not in output
        assert kbz.on(old, "docker inspect -f '{{.State.Running}}' patroni").strip() == "true"
        assert_whole(kbz)
        [newest] = kbz("history", "--verb", "drill", "--last", "1", "--format", "json").json()[
            "runs"
        ]
        assert (newest["verb"], newest["exit_code"]) == ("drill", 130)
