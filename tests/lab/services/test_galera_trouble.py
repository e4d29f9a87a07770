"""A cluster in trouble: a total stop, states made by hand, rows that differ in silence, a split.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.lab.conftest import Kbz, until
from tests.lab.ledgers.galera_ledger import GaleraLedger
from tests.lab.support.galera_cluster import (
    DATA,
    FLAG,
    HOSTS,
    LIFTED,
    RUN,
    inside,
    quoted,
    whole,
)
from tests.lab.support.states import agrees, findings, spare
from tests.lab.verdicts.rows import Seen, wrong

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def kbz(mariadb_lab: Kbz) -> Kbz:
    """The cluster stands, whatever ran before, and has a table of the ledger."""
    mariadb_lab.good(*LIFTED)
    return mariadb_lab


@pytest.fixture(scope="module")
def ledger(kbz: Kbz) -> GaleraLedger:
    """A ledger of its own, with rows in it, in the table of the file before."""
    made = GaleraLedger(kbz, first=1000)
    for _ in range(5):
        made.write("maria-01")
    return made


FILES = {
    "K-07": (HOSTS[1:], "s/^safe_to_bootstrap:.*/safe_to_bootstrap: 1/", "only one can be"),
    "K-08": (HOSTS[:1], "s/^safe_to_bootstrap:.*/safe_to_bootstrap: 1/", "and another node has"),
    "K-10": (
        HOSTS[1:],
        "s/^uuid:.*/uuid:    00000000-0000-0000-0000-000000000000/",
        "more than any whole copy",
    ),
}
"""Rows of docs/states.md: hosts, what is changed in their grastate.dat, and what the refusal says."""


ALONE = "; ".join(
    f"iptables {{0}} {chain} -p tcp --{end} 4567 -j DROP"
    for chain in ("INPUT", "OUTPUT")
    for end in ("sport", "dport")
)
"""The replication of a host is cut, and nothing else of it."""
ROOT = "/opt/bitnami/mariadb"
FOLDER = "/opt/keybuzz/mariadb"
AHEAD = f"""
last() {{ sed -i "s/^safe_to_bootstrap:.*/safe_to_bootstrap: $1/" /bitnami/mariadb/data/grastate.dat; }}
last 1
{ROOT}/sbin/mysqld --defaults-file={ROOT}/conf/my_custom.cnf --datadir=/bitnami/mariadb/data \\
    --wsrep-on=ON --binlog-format=row --wsrep-cluster-address=gcomm:// --wsrep-start-position=BEGINS \\
    --socket=/tmp/s --pid-file=/tmp/p --skip-grant-tables >/tmp/log 2>&1 &
ask() {{ {ROOT}/bin/mysql --socket=/tmp/s -N -e "$1"; }}
for i in $(seq 200); do ask "INSERT INTO erpnext.ledger VALUES (-9)" 2>/tmp/err && break; sleep 0.1; done
ask "SHOW STATUS LIKE 'wsrep_last_committed'" | grep -q 20000 || {{ tail -n 30 /tmp/log /tmp/err; exit 1; }}
ask "SET SESSION wsrep_on=OFF; INSERT INTO mysql.wsrep_cluster_members
    SELECT UUID(), cluster_uuid, 'maria-02', '' FROM mysql.wsrep_cluster" || exit 1
kill -9 $!
last 0
"""
"""A cluster of one goes on from a number, takes one row, and is killed.

The members of its component are given another, as if both had got there: alone it would be told as one side of a split.
"""
BEGUN = f"""
{ROOT}/bin/mysql_install_db --defaults-file={ROOT}/conf/my.cnf --basedir={ROOT} --skip-test-db \\
    --datadir=/bitnami/mariadb/data >/tmp/log 2>&1 || {{ tail -n 20 /tmp/log; exit 1; }}
"""


def thrown_away(kbz: Kbz, host: str, script: str) -> str:
    """Run a script in a container of the node's image, over its data and beside nothing else."""
    return kbz.on(
        host,
        "docker run --rm --network host --volumes-from mariadb --entrypoint /bin/bash "
        f"$(docker inspect -f '{{{{.Image}}}}' mariadb) -c '{quoted(script)}' 2>&1",
    )


@contextmanager
def kept_aside(kbz: Kbz, host: str) -> Iterator[None]:
    """Keep a stopped node's data as it is, for the length of a block."""
    kbz.on(host, f"cp -a {DATA} {DATA}.aside")
    try:
        yield
    finally:
        kbz.on(host, f"rm -r {DATA}; mv {DATA}.aside {DATA}")


def running(kbz: Kbz) -> list[str]:
    """Return the hosts on which MariaDB runs."""
    shown = "docker inspect -f '{{.State.Running}}' mariadb"
    return [host for host in HOSTS if "true" in kbz.on(host, shown)]


class TestTotalStop:
    """Everything is killed in turn under writes, and the memory of who was there is lost as well."""

    def test_a_plain_run_refuses_and_names_the_verb(self, kbz: Kbz, ledger: GaleraLedger) -> None:
        assert kbz("recover", "galera", "--confirm", "keybuzz-galera").code == 3
        kbz.good("lab", "fault", "kill-container", "maria-01", "mariadb")
        for _ in range(5):
            ledger.write("maria-02")
        kbz.good("lab", "fault", "kill-container", "maria-02", "mariadb")
        kbz.good("lab", "fault", "kill-container", "maria-03", "mariadb")
        for host in HOSTS:
            kbz.on(host, f"rm -f {DATA}/gvwstate.dat")
        done = kbz(*LIFTED)
        assert done.code == 3
        assert "kbz recover galera" in done.json()["error"]
        stopped = Seen(
            "S-33", "maria-01", "galera.node.synced", ("drift/x/container:mariadb",), True
        )
        assert wrong(kbz, [stopped], "galera") == []
        for host in HOSTS:
            assert "true" not in kbz.on(host, "docker inspect -f '{{.State.Running}}' mariadb")

    def test_recover_wants_the_name_and_shows_every_position(self, kbz: Kbz) -> None:
        silent = kbz("recover", "galera")
        assert (silent.code, "there is no terminal" in silent.stderr) == (3, True)
        done = kbz("recover", "galera", "--confirm", "galera")
        assert done.code == 3
        rows = [line.split() for line in done.stderr.splitlines() if line.startswith("maria-0")]
        numbers = {row[0]: int(row[2]) for row in rows}
        assert set(numbers) == set(HOSTS), done.stderr
        assert numbers["maria-01"] < numbers["maria-02"]
        chosen = [row[0] for row in rows if row[-3:] == ["starts", "the", "cluster"]]
        assert numbers[chosen[0]] == max(numbers.values())
        for host in HOSTS:
            assert "true" not in kbz.on(host, "docker inspect -f '{{.State.Running}}' mariadb")

    def test_an_edited_file_chooses_no_node(self, kbz: Kbz) -> None:
        """S-33: one line in the oldest node's grastate.dat once cost the rows of the two others."""
        kbz.on("maria-01", f"sed -i.kept 's/^seqno:.*/seqno:   99999999/' {DATA}/grastate.dat")
        done = kbz("recover", "galera", "--confirm", "keybuzz-galera")
        assert (done.code, "99999999, and its engine" in done.stderr) == (3, True)
        assert "starts the cluster" not in done.stderr
        for host in HOSTS:
            assert "true" not in kbz.on(host, "docker inspect -f '{{.State.Running}}' mariadb")
        kbz.on("maria-01", f"cat {DATA}/grastate.dat.kept >{DATA}/grastate.dat")

    @pytest.mark.parametrize(("hosts", "edit", "says"), FILES.values(), ids=FILES)
    def test_a_file_that_claims_too_much_or_too_little_starts_nothing(
        self, kbz: Kbz, hosts: tuple[str, ...], edit: str, says: str
    ) -> None:
        """K-07, K-08, K-10: the file was edited, or another tool's, while nothing ran."""
        for host in hosts:
            kbz.on(host, f"sed -i.kept '{edit}' {DATA}/grastate.dat")
        try:
            done = kbz("recover", "galera", "--confirm", "keybuzz-galera")
        finally:
            for host in hosts:
                kbz.on(host, f"cat {DATA}/grastate.dat.kept >{DATA}/grastate.dat")
        assert (done.code, says in " ".join(done.stderr.split())) == (3, True), done.stderr
        assert "kbz recover galera --from HOST" in done.stderr
        assert running(kbz) == []

    def test_without_its_file_a_node_is_asked_all_the_same(self, kbz: Kbz) -> None:
        """K-11: its engine tells its number."""
        kbz.on("maria-03", f"mv {DATA}/grastate.dat {DATA}/grastate.aside")
        try:
            done = kbz("recover", "galera", "--confirm", "galera")
        finally:
            kbz.on("maria-03", f"mv {DATA}/grastate.aside {DATA}/grastate.dat")
        rows = {line.split()[0]: line for line in done.stderr.splitlines() if "maria-0" in line}
        numbers = {host: row.split()[2] for host, row in rows.items()}
        assert numbers["maria-03"] == numbers["maria-02"], done.stderr
        assert rows["maria-02"].endswith("starts the cluster"), "no candidate without its history"
        assert running(kbz) == []

    def test_a_node_that_is_a_million_changes_ahead_is_not_believed(self, kbz: Kbz) -> None:
        """K-09: its engine says so too, for it went on from a number that was written by hand."""
        with kept_aside(kbz, "maria-03"):
            uuid = kbz.on("maria-03", f"sed -n 's/^uuid: *//p' {DATA}/grastate.dat").strip()
            thrown_away(kbz, "maria-03", AHEAD.replace("BEGINS", f"{uuid}:20000000"))
            done = kbz("recover", "galera", "--confirm", "keybuzz-galera")
        assert (done.code, "ahead of every other node" in done.stderr) == (3, True), done.stderr
        assert "kbz recover galera --from HOST" in done.stderr
        assert running(kbz) == []

    def test_another_tools_first_start_that_was_cut_off_is_told_as_such(self, kbz: Kbz) -> None:
        """K-12: an empty grastate.dat, the tables of the server, and no database of a user."""
        with ExitStack() as aside:
            for host in HOSTS:
                aside.enter_context(kept_aside(kbz, host))
                kbz.on(host, f"rm -r {DATA}")
            thrown_away(kbz, "maria-01", BEGUN)
            kbz.on("maria-01", f": >{DATA}/grastate.dat")
            done = kbz("recover", "galera", "--confirm", "keybuzz-galera")
        assert (done.code, "a first start was cut off" in done.stderr) == (3, True), done.stderr
        assert "move the data folders away" in " ".join(done.stderr.split())
        assert running(kbz) == []

    def test_hosts_that_were_installed_again_are_named_the_recovery(self, kbz: Kbz) -> None:
        """K-83: their data folders were kept; no file of kbz, no image and no container. The next test recovers."""
        gone = "i=$(docker inspect -f '{{.Image}}' mariadb); docker rm mariadb; docker rmi -f $i"
        for host in HOSTS:
            kbz.on(host, f"{gone}; rm -r {FOLDER}/conf")
        done = kbz(*LIFTED)
        assert (done.code, "kbz recover galera" in done.json()["error"]) == (3, True)
        bare = Seen("K-83", "maria-01", "galera.node.synced", ("drift/x/container:mariadb",), True)
        assert wrong(kbz, [bare], "galera") == []
        silent = kbz("recover", "galera")
        asked = "typed to bring back what is missing on maria-01, maria-02, maria-03"
        assert (silent.code, asked in " ".join(silent.stderr.split())) == (3, True), silent.stderr
        assert {kbz.on(host, f"ls {FOLDER}").strip() for host in HOSTS} == {"data"}

    def test_recover_brings_back_every_acknowledged_row(
        self, kbz: Kbz, ledger: GaleraLedger
    ) -> None:
        kbz.good("recover", "galera", "--confirm", "keybuzz-galera")
        assert whole(ledger)
        for host in HOSTS:
            assert ledger.missing(host) == set()
            assert FLAG not in kbz.on(host, "docker inspect mariadb")
        assert kbz.good(*RUN).json()["plan"]["size"] == 0
        [run] = kbz.good("history", "--last", "2", "--format", "json").json()["runs"][1:]
        assert run["verb"] == "recover"


def deep(kbz: Kbz, check: str) -> dict[str, str]:
    """Return the levels of one check of `kbz health --deep` by host."""
    done = kbz("health", "galera", "--limit", "galera", "--deep", "--format", "json")
    found = [item for item in done.json()["findings"] if item["check"] == check]
    return {item["host"] or "": item["level"] for item in found}


class TestSilentDivergence:
    def test_rows_that_differ_are_seen_though_galera_sees_none(self, kbz: Kbz) -> None:
        assert deep(kbz, "galera.data.alike") == {"": "ok"}
        inside(kbz, "maria-02", "SET SESSION wsrep_on=OFF; INSERT INTO erpnext.ledger VALUES (-7)")
        for host, rows in (("maria-01", "0"), ("maria-02", "1")):
            agrees(kbz, host, "m 'SELECT COUNT(*) FROM erpnext.ledger WHERE id=-7'", rows)
        assert deep(kbz, "galera.data.alike") == {"": "critical"}
        inside(kbz, "maria-02", "SET SESSION wsrep_on=OFF; DELETE FROM erpnext.ledger WHERE id=-7")
        inside(kbz, "maria-01", "CREATE TABLE erpnext.old (id INT) ENGINE=MyISAM")
        agrees(kbz, "maria-01", "m 'SHOW CREATE TABLE erpnext.old'", "ENGINE=MyISAM")
        assert set(deep(kbz, "galera.tables.replicated").values()) == {"warn"}
        inside(kbz, "maria-01", "DROP TABLE erpnext.old")
        assert deep(kbz, "galera.data.alike") == {"": "ok"}


class TestBadStates:
    """Rows of docs/states.md, each made by hand in the running servers."""

    def test_nodes_that_refuse_writes_are_no_spare(self, kbz: Kbz) -> None:
        for host in HOSTS[1:]:
            inside(kbz, host, "SET GLOBAL read_only=ON")
            agrees(kbz, host, "m 'SELECT @@read_only'", "1")
        assert "read_only is" in findings(kbz, "galera", "galera")["galera.node.writable"]
        assert spare(kbz, "galera", "galera") == 0
        refused = kbz("restart", "galera", "--limit", "maria-01")
        assert "galera.node.writable" in refused.stdout + refused.stderr
        for host in HOSTS[1:]:
            inside(kbz, host, "SET GLOBAL read_only=OFF")
        assert spare(kbz, "galera", "galera") == 1

    def test_desync_by_hand_ends_a_run_at_once(self, kbz: Kbz) -> None:
        inside(kbz, "maria-02", "SET GLOBAL wsrep_desync=ON")
        agrees(
            kbz, "maria-02", "m \"SHOW STATUS LIKE 'wsrep_local_state_comment'\"", "Donor/Desynced"
        )
        assert "galera.node.desync" in findings(kbz, "galera", "galera")
        done = kbz(*LIFTED)
        assert "galera.node.desync" in done.json()["error"]
        inside(kbz, "maria-02", "SET GLOBAL wsrep_desync=OFF")
        until(lambda: "galera.node.desync" not in findings(kbz, "galera", "galera"), 30, "in sync")

    def test_options_modes_and_accounts_by_hand_are_told(self, kbz: Kbz) -> None:
        inside(kbz, "maria-03", "SET GLOBAL wsrep_provider_options='pc.ignore_sb=true'")
        inside(kbz, "maria-03", "SET GLOBAL sql_mode=''")
        inside(kbz, "maria-01", "CREATE USER evil; GRANT ALL ON *.* TO evil WITH GRANT OPTION")
        agrees(kbz, "maria-03", "m 'SELECT @@wsrep_provider_options'", "pc.ignore_sb = true")
        agrees(kbz, "maria-01", "m 'SHOW GRANTS FOR evil'", "ALL PRIVILEGES ON *.*")
        found = findings(kbz, "galera", "galera")
        assert "pc.ignore_sb is true" in found["galera.settings.provider"]
        assert "galera.settings.sql-mode" in found
        assert "evil@%" in found["galera.accounts.open"]
        inside(kbz, "maria-03", "SET GLOBAL wsrep_provider_options='pc.ignore_sb=false'")
        inside(kbz, "maria-03", "SET GLOBAL sql_mode=DEFAULT")
        inside(kbz, "maria-01", "DROP USER evil")
        assert not [c for c in findings(kbz, "galera", "galera") if c.startswith("galera.")]


class TestSplit:
    """S-37: two and one, made Primary by hand, both written to; nobody remembers who was there.

    While both run, that is K-13.
    """

    def test_a_fork_is_recognised_and_nothing_is_started(self, kbz: Kbz) -> None:
        kbz.on("maria-03", ALONE.format("-I"))
        state = "SHOW STATUS LIKE 'wsrep_cluster_status'"
        until(lambda: "non-Primary" in inside(kbz, "maria-03", state), 60, "maria-03 is alone")
        inside(kbz, "maria-03", "SET GLOBAL wsrep_provider_options='pc.bootstrap=1'")
        until(
            lambda: "non-Primary" not in inside(kbz, "maria-03", state), 30, "it was made Primary"
        )
        until(lambda: "Primary" in inside(kbz, "maria-01", state), 60, "maria-01 goes on")
        for host, row in (("maria-01", 5001), ("maria-03", 6001)):
            inside(kbz, host, f"INSERT INTO erpnext.ledger VALUES ({row})")
        assert "without each other" in findings(kbz, "galera", "galera")["galera.cluster.one"]
        assert wrong(kbz, [Seen("K-13", "maria-03", "galera.cluster.one", ())], "galera") == []
        for host in HOSTS:
            kbz.on(host, f"docker kill mariadb >/dev/null; rm -f {DATA}/gvwstate.dat")
        kbz.on("maria-03", ALONE.format("-D"))
        done = kbz("recover", "galera", "--confirm", "keybuzz-galera")
        assert (done.code, "the cluster was split" in done.stderr) == (3, True), done.stderr
        assert "kbz recover galera --from HOST" in done.stderr
        for host in HOSTS:
            assert "true" not in kbz.on(host, "docker inspect -f '{{.State.Running}}' mariadb")

    def test_a_named_source_is_copied_whole_over_the_others(
        self, kbz: Kbz, ledger: GaleraLedger
    ) -> None:
        done = kbz.good("recover", "galera", "--from", "maria-01", "--confirm", "keybuzz-galera")
        assert "galera.data.alike" in done.stdout or deep(kbz, "galera.data.alike") == {"": "ok"}
        rows = {
            host: ledger.ask(host, "SELECT id FROM erpnext.ledger ORDER BY id") for host in HOSTS
        }
        assert rows["maria-01"] == rows["maria-02"] == rows["maria-03"]
        kept = {row for (row,) in rows["maria-03"]}
        assert (5001 in kept, 6001 in kept) == (True, False)
        assert whole(ledger)
        assert ledger.missing("maria-03") == set()
