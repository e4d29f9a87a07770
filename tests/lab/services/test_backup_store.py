"""Redis and kbz's own state in the repository of backup-01: in and out, and copies that are refused.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import hashlib
import signal
import subprocess
from functools import partial

import pytest

from tests.lab.conftest import REPOSITORY, Kbz, until
from tests.lab.ledgers.redis_ledger import MASTER, RedisLedger
from tests.lab.ledgers.stored import HOST, RESTORED, STORE, BackedUp
from tests.lab.support.watching import watching

pytestmark = pytest.mark.lab

REASON = ("--reason", "the owner said so on the phone")
KEYS = 300


@pytest.fixture(scope="module")
def redis(redis_lab: Kbz) -> BackedUp:
    """Redis stands, whatever ran before, and backup-01 has its base."""
    redis_lab.good("run", "base", "--limit", "backup-01")
    redis_lab.good("run", "redis", "--limit", "redis", "--lift-freeze", "redis", *REASON)
    until(lambda: redis_lab("health", "redis", "--limit", "redis").code == 0, 60, "Redis is whole")
    return BackedUp(redis_lab, "redis", MASTER)


@pytest.fixture(scope="module")
def ledger(redis: BackedUp) -> RedisLedger:
    return RedisLedger(redis.kbz)


def restored(redis: BackedUp, *words: str) -> str:
    command = "docker exec kbz-restored-redis redis-cli -s /tmp/redis.sock"
    return redis.kbz.on(HOST, f"{command} {' '.join(words)}").strip()


class TestRedis:
    def test_a_backup_is_taken_from_a_replica_listed_and_verified(
        self, redis: BackedUp, ledger: RedisLedger
    ) -> None:
        with ledger.node(ledger.master()) as client:
            for number in range(KEYS):
                client.set(f"stored:{number}", f"value {number}")
            client.set("stored:gone", "expires", px=1)
            assert client.wait(2, 10_000) == 2
        with watching("cmdline") as lines:
            [copy] = redis.taken()
        redis.require_unseen(lines, "redis.env", "backup.env")
        assert (copy["state"], copy["wrong"], copy["verified"]) == ("whole", None, None)
        catalogue = redis.kbz.on(HOST, f"cat {STORE}/catalogue.json")
        assert f'"source": "{ledger.master()}"' not in catalogue
        redis.kbz.good("backup", "verify", "redis")
        assert redis.listed()[-1]["verified"]

    def test_every_key_is_back_in_an_empty_place(
        self, redis: BackedUp, ledger: RedisLedger
    ) -> None:
        with ledger.node(ledger.master()) as client:
            client.flushall()
        done = redis.restore()
        assert done.code == 0, done.stdout + done.stderr
        assert restored(redis, "get", f"stored:{KEYS - 1}") == f"value {KEYS - 1}"
        found = restored(redis, "--scan", "--pattern", "'stored:*'").split()
        assert {f"stored:{number}" for number in range(KEYS)} == set(found) - {"stored:gone"}
        print(f"recovery time {done.json()['seconds']} s, last {done.json()['reached']}")
        with ledger.node(ledger.master()) as client:
            assert client.dbsize() < KEYS, "the living service is not touched"

    def test_a_second_one_is_refused_while_the_first_is_there(self, redis: BackedUp) -> None:
        done = redis.restore()
        assert done.code == 3
        assert "a restored server is there" in done.stderr
        redis.take_away()

    def test_a_drill_counts_it_measures_it_and_leaves_nothing(self, redis: BackedUp) -> None:
        [drilled] = redis.kbz.good("drill", "restore", "redis", "--format", "json").json()[
            "services"
        ]
        assert drilled["problem"] is None
        assert drilled["recovery_seconds"] > 0
        assert 0 < drilled["lost_seconds"] < 3600
        print(f"RTO {drilled['recovery_seconds']} s, RPO {drilled['lost_seconds']} s")
        redis.kbz.on(
            HOST, "! docker inspect kbz-drilled-redis && ! ls /opt/keybuzz/backup/drilled/*"
        )
        assert '"restored": {"redis"' in redis.kbz.on(HOST, f"cat {STORE}/catalogue.json")

    def test_no_secret_is_left_in_a_process_or_a_container(self, redis: BackedUp) -> None:
        values = redis.secrets("redis.env", "backup.env")
        assert len(values) >= 3
        text = redis.kbz.on(
            HOST, "ps axwwe; docker ps -aq | xargs -r docker inspect; cat /proc/*/environ"
        )
        assert not [value for value in values if value in text]


class TestOwnState:
    def test_the_state_is_taken_verified_and_restored_as_it_is(self, redis: BackedUp) -> None:
        own = BackedUp(redis.kbz, "kbz", "install-01")
        [copy] = own.taken()
        assert copy["wrong"] is None
        own.kbz.good("backup", "verify", "kbz")
        done = own.restore()
        assert done.code == 0, done.stdout + done.stderr
        for name in ("credentials/redis.env", "state/digest.key"):
            wanted = hashlib.sha256((own.kbz.root / name).read_bytes()).hexdigest()
            assert wanted in own.kbz.on(HOST, f"sha256sum {RESTORED}/kbz/{name}")
        mode = own.kbz.on(HOST, f"stat -c %a {RESTORED}/kbz {RESTORED}/kbz/credentials/redis.env")
        assert mode.split() == ["700", "600"]
        own.take_away()
        by_hand(own)
        [drilled] = own.kbz.good("drill", "restore", "kbz", "--format", "json").json()["services"]
        assert drilled["problem"] is None

    def test_the_health_of_the_backups_tells_each_service(self, redis: BackedUp) -> None:
        # This lab has no PostgreSQL, so that `kbz run backup` cannot end here: the folder is what it describes.
        redis.kbz.on(HOST, "mkdir -p /opt/keybuzz/backup/postgres")
        document = redis.kbz("health", "backup", "--format", "json").json()
        found = {f["check"]: f["level"] for f in document["findings"] if f["host"] == HOST}
        for name in ("age", "verified", "restored"):
            assert found[f"backup.redis.{name}"] == found[f"backup.kbz.{name}"] == "ok"


def by_hand(own: BackedUp) -> None:
    """What docs/how-to/restore-everything.md says of the day without kbz: restic, and the key from the safe."""
    [key] = own.secrets("backup.env")
    page = (REPOSITORY / "docs/how-to/restore-everything.md").read_text()
    [command] = [part for part in page.split("`") if part.startswith("restic ")]
    [folder] = [part for part in page.split("`") if part.startswith("/root/kbz-state/")]
    own.kbz.on(HOST, f"export RESTIC_PASSWORD='{key}'; {' '.join(command.split())}")
    wanted = hashlib.sha256((own.kbz.root / "state/digest.key").read_bytes()).hexdigest()
    assert wanted in own.kbz.on(HOST, f"sha256sum {folder}/state/digest.key")
    own.kbz.on(HOST, "rm -r /root/kbz-state")


KILLS = {
    "run": (
        ("backup", "run", "redis"),
        (f"{STORE}/staging/redis", f"{STORE}/staging/redis/redis.rdb"),
    ),
    "drill": (
        ("drill", "restore", "redis"),
        ("/opt/keybuzz/backup/drilled/redis.begun", "/opt/keybuzz/backup/drilled/redis"),
    ),
}


@pytest.mark.long
class TestTrouble:
    @pytest.mark.parametrize("verb", KILLS)
    def test_killed_at_a_step_the_same_command_ends_it(self, redis: BackedUp, verb: str) -> None:
        words, signs = KILLS[verb]
        redis.kbz.good("backup", "run", "redis")
        for sign in signs:
            process = subprocess.Popen(
                redis.kbz.argv(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            until(partial(exists, redis, sign), 60, f"{sign} is there")
            process.send_signal(signal.SIGKILL)
            process.wait(30)
            redis.kbz.good(*words)
            assert not exists(redis, signs[0])
        redis.kbz.good("drill", "restore", "redis")

    def test_a_full_disk_ends_a_backup_and_the_older_ones_are_good(self, redis: BackedUp) -> None:
        before = redis.listed()
        redis.kbz.on(HOST, f"mount -t tmpfs -o size=4k none {STORE}/staging")
        try:
            done = redis.kbz("backup", "run", "redis")
            assert done.code == 1
            assert redis.listed() == before
        finally:
            redis.kbz.on(HOST, f"umount {STORE}/staging")
        redis.kbz.good("drill", "restore", "redis")
        redis.kbz.good("backup", "run", "redis")

    def test_cut_off_and_started_again_it_goes_on(self, redis: BackedUp) -> None:
        before = redis.listed()
        redis.kbz.good("lab", "fault", "cut", HOST)
        try:
            assert redis.kbz("backup", "run", "redis").code == 4
        finally:
            redis.kbz.good("lab", "fault", "restore", HOST)
        process = subprocess.Popen(
            redis.kbz.argv("backup", "run", "redis"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(partial(exists, redis, f"{STORE}/staging/redis"), 60, "a backup has begun")
        redis.kbz.good("lab", "fault", "stop", HOST)
        assert process.wait(120) != 0
        redis.kbz.good("lab", "fault", "start", HOST)
        until(lambda: redis.kbz("backup", "list", "redis").code == 0, 120, "backup-01 answers")
        redis.kbz.good("backup", "run", "redis")
        assert before[-1]["id"] in {copy["id"] for copy in redis.listed()}
        redis.kbz.good("drill", "restore", "redis")


class TestDamage:
    def test_a_damaged_one_is_found_by_verify_and_refused_by_restore(self, redis: BackedUp) -> None:
        redis.damage()
        done = redis.kbz("backup", "verify", "redis")
        assert done.code == 1
        assert "damaged" in done.stdout + done.stderr
        assert redis.listed()[-1]["wrong"]
        refused = redis.restore("--backup", redis.listed()[-1]["id"])
        assert refused.code == 3
        assert "damaged" in refused.stderr


def exists(redis: BackedUp, path: str) -> bool:
    return redis.kbz.on(HOST, f"test -e {path} && echo yes || true").strip() == "yes"
