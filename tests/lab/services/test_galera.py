"""Galera on real servers: from three bare hosts to a cluster, its freeze, its failures, and a total stop.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from keybuzz.site.credentials.store import load_credentials
from tests.lab.conftest import ONE_LOOK, REPOSITORY, Kbz, until
from tests.lab.ledgers.galera_ledger import ADDRESSES, GaleraLedger
from tests.lab.support.galera_cluster import (
    CONF,
    DATA,
    FLAG,
    HOSTS,
    LIFTED,
    RUN,
    START,
    changed,
    containers,
    quoted,
    whole,
)

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def kbz(mariadb_lab: Kbz) -> Kbz:
    """Three bare MariaDB servers; nothing is put on the two for ProxySQL beside them."""
    return mariadb_lab


@pytest.fixture(scope="module")
def ledger(kbz: Kbz) -> GaleraLedger:
    return GaleraLedger(kbz)


RUNS = "docker inspect -f '{{.State.Running}}' mariadb 2>/dev/null | grep -q true"
SAID = "docker logs --since $(docker inspect -f '{{.State.StartedAt}}' mariadb) mariadb 2>&1"
CUTS = {
    "while system tables are made": f"test -d {DATA}/mysql",
    "while users are made": f"{SAID} | grep -q 'in background'",
    "after the setup": f"test -e {DATA}/../.bootstrap/done",
}
"""Moments of a first start, in their order: within the image's own setup, and behind it."""
MIDDLE = "while users are made"


class TestFirstStartCutOff:
    @pytest.mark.parametrize(
        "moment",
        [
            pytest.param(moment, id=name, marks=() if name == MIDDLE else pytest.mark.long)
            for name, moment in CUTS.items()
        ],
    )
    def test_a_killed_first_start_fails_its_gate_at_once_and_names_the_way_out(
        self, kbz: Kbz, moment: str
    ) -> None:
        with subprocess.Popen(
            kbz.argv(*RUN), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as run:
            cut = f"until {RUNS} && {moment}; do sleep 0.02; done; docker kill mariadb"
            kbz.on("maria-01", f"timeout 300 sh -c '{quoted(cut)}'")
            stdout, _ = run.communicate(timeout=600)
        assert run.returncode == 1
        error = json.loads(stdout)["error"]
        assert "can hold no more" in error
        assert "`kbz run galera` begins the first start again" in error
        volume = kbz.on("maria-01", f"ls -A {DATA}/..").split()
        assert {".kbz-first-start", "data"} <= set(volume)

    def test_recover_and_health_know_what_it_is(self, kbz: Kbz) -> None:
        refused = kbz("recover", "galera", "--confirm", "keybuzz-galera")
        assert (refused.code, "first start was cut off" in refused.stderr) == (3, True)
        found = kbz("health", "galera", "--limit", "galera").stdout
        assert "maria-01: a first start was cut off here" in found


class TestFirstInstall:
    def test_a_run_killed_right_after_the_bootstrap_is_gone_on_with(
        self, kbz: Kbz, ledger: GaleraLedger
    ) -> None:
        argv = [
            sys.executable,
            "-m",
            "tests.lab.support.stepping",
            str(kbz.config),
            "galera",
            "galera",
        ]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as run:
            assert run.stdout is not None
            for line in run.stdout:
                if line.startswith("done container:mariadb"):
                    run.kill()
                    break
        assert run.returncode == -9
        left = kbz.on("maria-01", "docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' mariadb")
        assert left.strip() == "no"
        document = kbz.good(*RUN).json()
        assert "bootstrap maria-01" not in str(document)
        assert ".kbz-first-start" not in kbz.on("maria-01", f"ls -A {DATA}/..")
        uuids = {ledger.status(host, "wsrep_cluster_state_uuid") for host in HOSTS}
        assert len(uuids) == 1
        assert whole(ledger)

    def test_every_container_is_a_plain_joiner(self, kbz: Kbz) -> None:
        for host in HOSTS:
            shown = kbz.on(host, "docker inspect mariadb")
            assert FLAG not in shown
            assert '"Name": "unless-stopped"' in shown
            assert '"StopTimeout": 120' in shown
            assert kbz.on(host, f"stat -c %u {DATA}").strip() == "1001"

    def test_only_described_accounts_and_databases_are_there(self, ledger: GaleraLedger) -> None:
        """The image makes two accounts @localhost and the database test by itself (docs/images.md)."""
        for host in HOSTS:
            rows = ledger.ask(host, "SELECT User, Host FROM mysql.global_priv")
            assert {tuple(row) for row in rows} == {
                ("root", "%"),
                ("erpnext", "%"),
                ("kb_monitor", "%"),
                ("mariadb.sys", "localhost"),
            }
            assert "test" not in str(ledger.ask(host, "SHOW DATABASES"))

    def test_health_and_topology_tell_the_cluster(self, kbz: Kbz) -> None:
        document = kbz.good("health", "galera", "--limit", "galera", "--format", "json").json()
        found = [f for f in document["findings"] if f["check"].startswith("galera.")]
        assert {f["level"] for f in found} == {"ok"}
        [topology] = [t for t in document["topologies"] if t["cluster"] == "keybuzz-galera"]
        assert {member["state"] for member in topology["members"]} == {"Synced"}

    def test_settled_values_hold_in_the_running_server(self, ledger: GaleraLedger) -> None:
        for host in HOSTS:
            found = dict(ledger.ask(host, "SHOW GLOBAL VARIABLES"))
            assert found["binlog_format"] == "ROW"
            assert found["innodb_autoinc_lock_mode"] == "2"
            assert (found["wsrep_sst_method"], found["wsrep_on"]) == ("rsync", "ON")
            assert found["wsrep_node_address"] == ADDRESSES[host]
            assert found["collation_server"] == "utf8mb4_unicode_ci"
            assert "gcache.size = 64M" in found["wsrep_provider_options"]
            assert "pc.recovery = true" in found["wsrep_provider_options"].lower()

    def test_a_second_run_changes_nothing_and_asks_each_host_once(self, kbz: Kbz) -> None:
        before = containers(kbz)
        document = kbz.good(*RUN).json()
        assert document["plan"]["size"] == 0
        # Both ProxySQL too: a killed restart would have left them leading elsewhere.
        asked = (*HOSTS, "proxysql-01", "proxysql-02")
        assert document["round_trips"] == dict.fromkeys(asked, ONE_LOOK)
        assert containers(kbz) == before

    def test_the_application_writes_on_any_node_and_reads_on_every_other(
        self, ledger: GaleraLedger
    ) -> None:
        for host in HOSTS:
            ledger.write(host)
        assert {host: ledger.missing(host) for host in HOSTS} == {host: set() for host in HOSTS}
        grants = str(ledger.ask("maria-02", "SHOW GRANTS FOR 'kb_monitor'@'%'"))
        assert "BINLOG MONITOR ON *.*" in grants

    def test_no_password_is_on_a_command_line_or_in_a_log(self, kbz: Kbz) -> None:
        text = (kbz.root / "credentials/mariadb.env").read_text()
        secrets = [line.split("=", 1)[1] for line in text.splitlines() if "PASSWORD=" in line]
        assert len(secrets) == 4
        for host in HOSTS:
            seen = kbz.on(
                host,
                "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'; docker logs mariadb 2>&1; "
                f"cat {CONF}; grep -r CREATE {DATA}/*.err 2>/dev/null || true",
            )
            assert "/opt/bitnami/mariadb/sbin/mysqld" in seen
            assert [secret for secret in secrets if secret in seen] == []


class TestFreeze:
    def test_a_flag_and_a_file_by_hand_are_drift_and_the_freeze_keeps_them(self, kbz: Kbz) -> None:
        kbz.on("maria-01", f"echo 'max_connections = 7' >> {CONF}")
        kbz.on("maria-02", BY_HAND)
        edits = {("maria-01", f"file:{CONF}"), ("maria-02", "container:mariadb")}
        assert changed(kbz("drift", "galera", "--limit", "galera", "--format", "json")) == edits
        done = kbz(*RUN)
        assert done.code == 3
        assert "frozen (FRZ-1)" in done.json()["error"]
        assert changed(done) == edits
        found = kbz("health", "galera", "--limit", "galera").stdout
        assert "galera.bootstrap.flag  maria-02: its container has the bootstrap flag" in found

    def test_a_lift_repairs_them_one_at_a_time_behind_synced(
        self, kbz: Kbz, ledger: GaleraLedger
    ) -> None:
        before = containers(kbz)
        kbz.good(*LIFTED)
        after = containers(kbz)
        assert {host for host in HOSTS if after[host] != before[host]} == {"maria-02"}
        assert "max_connections = 7" not in kbz.on("maria-01", f"cat {CONF}")
        assert FLAG not in kbz.on("maria-02", "docker inspect mariadb")
        assert whole(ledger)


class TestUsers:
    def test_a_live_password_that_is_not_the_stores_is_refused_and_kept(
        self, kbz: Kbz, ledger: GaleraLedger
    ) -> None:
        """Its users have the live one: a run that sets the store's locks them out."""
        read = "SELECT Priv FROM mysql.global_priv WHERE User = 'erpnext'"
        before = ledger.ask("maria-01", read)
        ledger.ask("maria-01", "ALTER USER 'erpnext'@'%' IDENTIFIED BY 'by-hand-1234567'")
        live = ledger.ask("maria-01", read)
        assert live != before
        refused = kbz(*LIFTED)
        assert refused.code == 3
        assert "MARIADB_APP_PASSWORD" in refused.stderr + refused.stdout
        assert ledger.ask("maria-01", read) == live
        ours = load_credentials(kbz.root / "credentials")["MARIADB_APP_PASSWORD"].reveal()
        ledger.ask("maria-01", f"ALTER USER 'erpnext'@'%' IDENTIFIED BY '{ours}'")

    def test_a_missing_grant_is_given_again_and_the_others_are_kept(
        self, kbz: Kbz, ledger: GaleraLedger
    ) -> None:
        ledger.ask("maria-01", "REVOKE ALL PRIVILEGES ON erpnext.* FROM 'erpnext'@'%'")
        ledger.ask("maria-01", "GRANT SELECT ON mysql.* TO 'erpnext'@'%'")
        assert changed(kbz("drift", "galera", "--limit", "galera", "--format", "json")) == {
            ("maria-03", "mysql-user:erpnext")  # where ProxySQL's writer is
        }
        kbz.good(*LIFTED)
        ledger.write("maria-03")
        assert "mysql" in str(ledger.ask("maria-01", "SHOW GRANTS FOR 'erpnext'@'%'"))


class TestFailures:
    def test_a_killed_node_is_missed_by_nobody_and_joins_again(
        self, kbz: Kbz, ledger: GaleraLedger
    ) -> None:
        kbz.good("lab", "fault", "kill-container", "maria-01", "mariadb")
        for _ in range(5):
            ledger.write("maria-02")
        assert ledger.status("maria-02", "wsrep_cluster_status") == "Primary"
        kbz.good(*LIFTED)
        assert whole(ledger)
        assert ledger.missing("maria-01") == set()

    def test_a_bare_host_gets_everything_from_the_others(
        self, kbz: Kbz, ledger: GaleraLedger
    ) -> None:
        kbz.on("maria-03", "docker rm -f mariadb; rm -rf /opt/keybuzz/mariadb")
        ledger.write("maria-01")
        document = kbz.good(*LIFTED).json()
        assert document["hosts"]["maria-03"]["changed"] >= 5
        assert whole(ledger)
        assert ledger.missing("maria-03") == set()

    def test_killed_together_they_come_back_by_themselves(
        self, kbz: Kbz, ledger: GaleraLedger
    ) -> None:
        """As after a power cut: Docker starts them, and they know who was with them."""
        ledger.write("maria-02")
        history = ledger.status("maria-01", "wsrep_cluster_state_uuid")
        for host in HOSTS:
            kbz.on(host, "kill -9 $(docker inspect -f '{{.State.Pid}}' mariadb)")
        until(lambda: whole(ledger), 180, "all three serve again")
        for host in HOSTS:
            assert ledger.status(host, "wsrep_cluster_state_uuid") == history
        assert ledger.missing("maria-01") == set()
        assert kbz.good(*RUN).json()["plan"]["size"] == 0


BY_HAND = f"""set -e
docker inspect -f '{{{{range .Config.Env}}}}{{{{println .}}}}{{{{end}}}}' mariadb | grep = > /root/mariadb.list
docker stop -t 60 mariadb >/dev/null
docker rm mariadb >/dev/null
docker create --name mariadb --network host --restart unless-stopped --stop-timeout 120 -u 1001 \
  -h maria-02 --env-file /root/mariadb.list -e {FLAG}=no \
  -v /opt/keybuzz/mariadb/data:/bitnami/mariadb:rw -v {CONF}:/opt/bitnami/mariadb/conf/my_custom.cnf:ro \
  -v {START}:/opt/keybuzz/start.sh:ro \
  bitnamilegacy/mariadb-galera:10.11.6 /bin/bash /opt/keybuzz/start.sh \
  /opt/bitnami/scripts/mariadb-galera/run.sh >/dev/null
docker start mariadb >/dev/null
rm /root/mariadb.list
"""
