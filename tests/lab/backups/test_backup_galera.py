"""Galera in the repository of backup-01: every row in and out, and what must not come in or out.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import signal
import subprocess
import threading
import time

import pytest

from tests.lab.conftest import Kbz, until
from tests.lab.ledgers.galera_ledger import GaleraLedger
from tests.lab.ledgers.stored import HOST, STORE, BackedUp
from tests.lab.support.galera_cluster import LIFTED, quoted, whole
from tests.lab.support.watching import watching

pytestmark = pytest.mark.lab

CLUSTER = "keybuzz-galera"
WRITER, SOURCE = "maria-03", "maria-01"
ROWS = 2000


@pytest.fixture(scope="module")
def galera(mariadb_lab: Kbz) -> BackedUp:
    """Galera stands, whatever ran before, and backup-01 has its base."""
    mariadb_lab.good("run", "base", "--limit", "backup-01")
    mariadb_lab.good(*LIFTED)
    return BackedUp(mariadb_lab, "galera", CLUSTER)


@pytest.fixture(scope="module")
def ledger(galera: BackedUp) -> GaleraLedger:
    """A ledger of its own, with a table that nothing else writes to."""
    made = GaleraLedger(galera.kbz, first=90_000)
    until(lambda: whole(made), 120, "Galera is whole")
    with made.node(WRITER) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS `stored ``rows` (id INT PRIMARY KEY, word TEXT)")
        rows = [(number, f"word {number}") for number in range(ROWS)]
        cursor.executemany("REPLACE INTO `stored ``rows` VALUES (%s, %s)", rows)
    return made


def restored(galera: BackedUp, statement: str) -> str:
    command = "docker exec kbz-restored-galera mysql --no-defaults --socket=/tmp/kbz.sock -N -e"
    return galera.kbz.on(HOST, f"{command} '{quoted(statement)}'").strip()


class Writer:
    """Writes one row after the other on the writer, and knows how long each took."""

    def __init__(self, ledger: GaleraLedger) -> None:
        self._ledger = ledger
        self._ended = threading.Event()
        self.seconds: list[float] = []
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        with self._ledger.node(WRITER) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS busy (id INT PRIMARY KEY)")
            number = int(time.time())
            while not self._ended.is_set():
                number += 1
                started = time.monotonic()
                cursor.execute(f"REPLACE INTO busy VALUES ({number})")
                self.seconds.append(time.monotonic() - started)

    @property
    def p99(self) -> float:
        """Milliseconds that 99 of 100 rows took at most."""
        return 1000 * sorted(self.seconds)[int(len(self.seconds) * 0.99)]


class TestGalera:
    def test_a_backup_is_taken_from_a_member_that_is_not_the_writer_while_rows_are_written(
        self, galera: BackedUp, ledger: GaleraLedger
    ) -> None:
        with Writer(ledger) as before:
            until(lambda: len(before.seconds) > 500, 60, "rows are written")
        with watching("cmdline") as lines, Writer(ledger) as meanwhile:
            [copy] = galera.taken()
        galera.require_unseen(lines, "backup.env", "mariadb.env")
        assert (copy["state"], copy["wrong"], copy["verified"]) == ("whole", None, None)
        print(f"p99 of the writer: {before.p99:.1f} ms before, {meanwhile.p99:.1f} ms during")
        assert f'"source": "{SOURCE}"' in galera.kbz.on(HOST, f"cat {STORE}/catalogue.json")
        assert not galera.kbz.on(HOST, f"ls {STORE}/staging | grep -v begun || true").strip()
        until(lambda: whole(ledger), 60, "Galera is whole")
        galera.kbz.good("backup", "verify", "galera")
        assert galera.listed()[-1]["verified"]

    def test_every_row_is_back_in_an_empty_place(
        self, galera: BackedUp, ledger: GaleraLedger
    ) -> None:
        with ledger.node(WRITER) as connection, connection.cursor() as cursor:
            cursor.execute("DROP TABLE `stored ``rows`")
        with watching("cmdline") as lines:
            done = galera.restore()
        galera.require_unseen(lines, "backup.env", "mariadb.env")
        assert done.code == 0, done.stdout + done.stderr
        print(f"recovery time {done.json()['seconds']} s, last {done.json()['reached']}")
        database = ledger.ask(WRITER, "SELECT DATABASE()", "APP")[0][0]
        asked = f"SELECT COUNT(*), MAX(word) FROM `{database}`.`stored ``rows`"
        assert restored(galera, asked).split("\t") == [str(ROWS), "word 999"]
        assert "kb_" in restored(galera, "SELECT User FROM mysql.user")
        galera.take_away()

    def test_a_drill_counts_it_measures_it_and_leaves_nothing(self, galera: BackedUp) -> None:
        [drilled] = galera.kbz.good("drill", "restore", "galera", "--format", "json").json()[
            "services"
        ]
        assert drilled["problem"] is None
        print(f"RTO {drilled['recovery_seconds']} s, RPO {drilled['lost_seconds']} s")
        galera.kbz.on(
            HOST, "! docker inspect kbz-drilled-galera && ! ls /opt/keybuzz/backup/drilled/*"
        )

    def test_no_secret_is_left_in_a_process_or_a_container(self, galera: BackedUp) -> None:
        values = galera.secrets("backup.env", "mariadb.env")
        look = "ps axwwe; docker ps -aq | xargs -r docker inspect; cat /proc/*/environ"
        assert not [value for value in values if value in galera.kbz.on(HOST, look)]
        assert "mariabackup" not in galera.kbz.on(SOURCE, "ps axww -o args | grep -v 'ps axww'")


@pytest.mark.long
class TestTrouble:
    @pytest.mark.parametrize("sign", ["", "/data", "/data/xtrabackup_checkpoints"])
    def test_killed_at_a_step_the_same_command_ends_it(
        self, galera: BackedUp, ledger: GaleraLedger, sign: str
    ) -> None:
        process = subprocess.Popen(
            galera.kbz.argv("backup", "run", "galera"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        path = f"{STORE}/staging/galera{sign}"
        look = f"test -e {path} && echo yes || true"
        until(lambda: bool(galera.kbz.on(HOST, look).strip()), 60, f"{path} is there")
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        [copy] = galera.taken()
        assert copy["wrong"] is None
        until(lambda: whole(ledger), 60, "Galera is whole")

    def test_a_source_that_dies_ends_the_backup_and_nothing_half_comes_in(
        self, galera: BackedUp, ledger: GaleraLedger
    ) -> None:
        before = galera.listed()
        process = subprocess.Popen(
            galera.kbz.argv("backup", "run", "galera"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        look = f"test -e {STORE}/staging/galera/data && echo yes || true"
        until(lambda: bool(galera.kbz.on(HOST, look).strip()), 60, "it has begun")
        galera.kbz.on(SOURCE, "docker kill mariadb")
        stdout, stderr = process.communicate(timeout=120)
        assert process.returncode == 1, stdout + stderr
        assert SOURCE in stdout + stderr
        assert galera.listed() == before
        galera.kbz.good(*LIFTED)
        until(lambda: whole(ledger), 120, "Galera is whole")
        assert len(galera.taken()) == 1


class TestDamage:
    def test_a_damaged_one_is_found_by_verify_and_refused_by_restore(
        self, galera: BackedUp
    ) -> None:
        galera.damage()
        done = galera.kbz("backup", "verify", "galera")
        assert done.code == 1
        assert galera.listed()[-1]["wrong"]
        refused = galera.restore("--backup", galera.listed()[-1]["id"])
        assert refused.code == 3
        assert "damaged" in refused.stderr
