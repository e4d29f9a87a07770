"""Backups of PostgreSQL on backup-01: WAL that streams, a dropped table that is back, and copies that are refused.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import json
import signal
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.lab.conftest import Done, Kbz, until
from tests.lab.ledgers.ledger import Ledger
from tests.lab.support.watching import watching

pytestmark = pytest.mark.lab

HOST = "backup-01"
ARCHIVE = "/opt/keybuzz/backup/postgres/keybuzz-pg"
RESTORED = "/opt/keybuzz/backup/restored/postgres"
CONTAINER = "kbz-restored-postgres"
NAME = ("--confirm", "keybuzz-pg")


@pytest.fixture(scope="module")
def kbz(postgres_lab: Kbz) -> Kbz:
    """A Patroni cluster behind its entry hosts, and backup-01 as described."""
    postgres_lab.good("run", "patroni", "--limit", "db")
    postgres_lab.good("run", "postgres-proxy", "--limit", "haproxy")
    postgres_lab.good("run", "backup")
    return postgres_lab


def backups(kbz: Kbz) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = kbz.good("backup", "list", "postgres", "--json").json()["backups"]
    return found


def passwords(kbz: Kbz) -> list[str]:
    path = kbz.root / "credentials/postgres.env"
    lines = [line.partition("=") for line in path.read_text().splitlines() if "PASS" in line]
    return [value.strip("'\"") for _, _, value in lines]


def findings(kbz: Kbz) -> dict[str, str]:
    document = kbz("health", "backup", "--format", "json").json()
    return {f["check"]: f["level"] for f in document["findings"] if f["host"] == HOST}


def restored(kbz: Kbz, statement: str) -> str:
    command = f"docker exec {CONTAINER} psql -qAtXh /var/run/postgresql -U kb_admin -d keybuzz"
    return kbz.on(HOST, f'{command} -c "{statement}"').strip()


def take_away(kbz: Kbz) -> None:
    """What the page about a dropped table says, at its end."""
    kbz.on(HOST, f"docker rm --force {CONTAINER} && rm -r {RESTORED} {RESTORED}.done")


def restore(kbz: Kbz, *words: str) -> Done:
    return kbz("restore", "postgres", "--json", *words, *NAME)


class TestBackup:
    def test_wal_streams_and_a_second_run_has_nothing_to_do(self, kbz: Kbz) -> None:
        document = kbz.good("run", "backup", "--format", "json").json()
        assert document["plan"]["size"] == 0
        found = findings(kbz)
        assert found["backup.postgres.streams"] == "ok"
        assert found["backup.receiver"] == "ok"
        assert kbz("health", "patroni", "--limit", "db").code == 0

    def test_a_first_backup_is_taken_listed_and_verified(self, kbz: Kbz) -> None:
        before = len(backups(kbz))
        with watching("cmdline") as seen:
            kbz.good("backup", "run", "postgres")
        assert any(b"\0backup\0--wait\0" in line for line in seen), "nothing was seen at work"
        assert not [line for line in seen for value in passwords(kbz) if value.encode() in line]
        newest = backups(kbz)[-1]
        assert len(backups(kbz)) == before + 1
        assert (newest["state"], newest["wrong"], newest["verified"]) == ("DONE", None, None)
        kbz.good("backup", "verify", "postgres")
        assert backups(kbz)[-1]["verified"]
        found = findings(kbz)
        assert {found[f"backup.postgres.{name}"] for name in ("age", "wal", "cluster")} == {"ok"}
        assert found["backup.postgres.verified"] == "ok"

    def test_no_password_in_a_process_or_a_log(self, kbz: Kbz) -> None:
        values = passwords(kbz)
        assert len(values) >= 4
        text = kbz.on(HOST, "ps axww; cat /opt/keybuzz/backup/log/*; journalctl -u kbz-barman")
        assert not [value for value in values if value in text]


class TestDroppedTable:
    def test_it_is_back_with_every_acknowledged_row_before_it(self, kbz: Kbz) -> None:
        with Ledger(kbz) as ledger:
            for _ in range(200):
                ledger.write()
            before = datetime.now(UTC).isoformat()
            rows = ledger.rows()
            ledger.query("select pg_sleep(0.1)::text")
            ledger.drop()
            done = restore(kbz, "--to-time", before)
            assert done.code == 0, done.stdout + done.stderr
            assert "up to" in done.stderr
            assert restored(kbz, "select count(*) from ledger") == str(rows) == "200"
            print(f"recovery time {done.json()['seconds']} s, last {done.json()['reached']}")
        assert findings(kbz)["backup.postgres.restored"] == "ok"

    @pytest.mark.long
    def test_a_drill_of_it_measures_both_times_and_leaves_nothing(self, kbz: Kbz) -> None:
        [drilled] = kbz.good("drill", "restore", "postgres", "--format", "json").json()["services"]
        assert drilled["problem"] is None
        print(f"RTO {drilled['recovery_seconds']} s, RPO {drilled['lost_seconds']} s")
        kbz.on(HOST, "! docker inspect kbz-drilled-postgres && ! ls /opt/keybuzz/backup/drilled/*")

    def test_a_second_one_is_refused_while_the_first_is_there(self, kbz: Kbz) -> None:
        done = restore(kbz)
        assert done.code == 3
        assert "a restored server is there" in done.stderr
        assert restored(kbz, "select count(*) from ledger") == "200"

    def test_what_lies_in_the_target_and_is_no_restore_is_left_alone(self, kbz: Kbz) -> None:
        take_away(kbz)
        kbz.on(HOST, f"mkdir {RESTORED} && touch {RESTORED}/mine")
        done = restore(kbz)
        assert done.code == 3
        assert "is no restore of kbz" in done.stderr
        kbz.on(HOST, f"rm {RESTORED}/mine && rmdir {RESTORED}")

    def test_a_wrong_name_and_a_time_without_a_backup_change_nothing(self, kbz: Kbz) -> None:
        done = kbz("restore", "postgres", "--confirm", "keybuzz")
        assert done.code == 3
        early = restore(kbz, "--to-time", "2020-01-01T00:00:00")
        assert early.code == 3
        assert "no good backup ended before that time" in early.stderr
        kbz.on(HOST, f"! test -e {RESTORED}.begun")


@pytest.mark.long
class TestKilled:
    def test_a_restore_killed_on_its_way_is_begun_again_by_the_same_command(self, kbz: Kbz) -> None:
        process = subprocess.Popen(
            kbz.argv("restore", "postgres", *NAME),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: exists(kbz, f"{RESTORED}/PG_VERSION"), 60, "files are copied")
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        assert not exists(kbz, f"{RESTORED}.done")
        done = restore(kbz)
        assert done.code == 0, done.stdout + done.stderr
        assert restored(kbz, "select count(*) from pg_class where relname = 'ledger'") == "0"
        take_away(kbz)


def exists(kbz: Kbz, path: str) -> bool:
    return kbz.on(HOST, f"test -e {path} && echo yes || true").strip() == "yes"


class TestRefused:
    @pytest.mark.long
    def test_a_half_written_one_is_listed_and_the_same_command_takes_another(
        self, kbz: Kbz
    ) -> None:
        before = {item["id"] for item in backups(kbz)}
        process = subprocess.Popen(
            kbz.argv("backup", "run", "postgres"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: {b["id"] for b in backups(kbz)} > before, 60, "a backup has begun")
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        [half] = [item for item in backups(kbz) if item["id"] not in before]
        if half["state"] != "DONE":  # it was killed in time
            done = kbz("backup", "verify", "postgres", "--backup", half["id"])
            assert done.code == 3
            assert "not taken whole" in done.stderr
            assert restore(kbz, "--backup", half["id"]).code == 3
        kbz.good("backup", "run", "postgres")

    def test_a_damaged_one_is_found_by_verify_and_refused_by_restore(self, kbz: Kbz) -> None:
        newest = backups(kbz)[-1]["id"]
        data = f"{ARCHIVE}/base/{newest}/data"
        kbz.on(HOST, f"printf X | dd of={data}/global/1262 bs=1 seek=100 conv=notrunc status=none")
        done = kbz("backup", "verify", "postgres", "--backup", newest, "--json")
        assert done.code == 1
        assert "global/1262" in json.dumps(done.json())
        assert findings(kbz)["backup.postgres.verified"] == "critical"
        refused = restore(kbz, "--backup", newest)
        assert refused.code == 3
        assert "must not be restored" in refused.stderr


@pytest.mark.long
class TestFailover:
    def test_wal_streams_on_from_the_new_leader_and_a_restore_follows_it(self, kbz: Kbz) -> None:
        with Ledger(kbz) as ledger:
            ledger.write()
            [old] = leaders(kbz)
            kbz.good("lab", "fault", "kill-container", old, "patroni")
            until(lambda: leaders(kbz) not in ([], [old]), 120, "another member leads")
            for _ in range(50):
                ledger.write()
            until(
                lambda: findings(kbz)["backup.postgres.streams"] == "ok", 120, "WAL streams again"
            )
            done = restore(kbz)
            assert done.code == 0, done.stdout + done.stderr
            assert restored(kbz, "select count(*) from ledger") == "51"
            take_away(kbz)
        kbz.good("run", "patroni", "--limit", "db")


def leaders(kbz: Kbz) -> list[str]:
    document = kbz("health", "patroni", "--limit", "db", "--format", "json").json()
    return [
        m["host"] for t in document["topologies"] for m in t["members"] if m["role"] == "leader"
    ]
