"""Redis in bad states: replicas that do not take over, doors that are open, a disk that takes no save.

Other tests may have used the lab before; it is as before afterwards.
"""

from __future__ import annotations

import pytest

from keybuzz.model.core.outcome import ExitCode
from tests.lab.conftest import Kbz, until
from tests.lab.ledgers.redis_ledger import ADDRESSES, RedisLedger
from tests.lab.support.states import agrees, findings, spare
from tests.lab.verdicts.rows import Seen, wrong

pytestmark = pytest.mark.lab

HOSTS = tuple(ADDRESSES)
ROOT = "/opt/keybuzz/redis"
DATA = f"{ROOT}/data"
LIFT = ("--lift-freeze", "redis", "--reason", "the owner said so on the phone")
LIFTED = ("run", "redis", "--limit", "redis", *LIFT)


@pytest.fixture(scope="module")
def kbz(redis_lab: Kbz) -> Kbz:
    """Three Redis servers that are well, whatever ran before."""
    redis_lab.good(*LIFTED)
    until(lambda: not of_redis(findings(redis_lab, "redis", "redis")), 120, "a healthy cluster")
    return redis_lab


@pytest.fixture(scope="module")
def ledger(kbz: Kbz) -> RedisLedger:
    return RedisLedger(kbz)


def of_redis(found: dict[str, str]) -> list[str]:
    """Return the checks of Redis among what health finds."""
    return [check for check in found if check.startswith("redis.")]


def command(ledger: RedisLedger, host: str, *words: str) -> None:
    with ledger.node(host) as client:
        client.execute_command(*words)


class TestBadStates:
    """Rows of docs/states.md, each made by hand."""

    def test_replicas_that_are_never_promoted_are_no_spare(
        self, kbz: Kbz, ledger: RedisLedger
    ) -> None:
        ledger.rank_all(0)
        for host in HOSTS:
            agrees(kbz, host, "r config get replica-priority", "0")
        found = findings(kbz, "redis", "redis")
        assert "no replica can take over" in found["redis.takeover"]
        assert spare(kbz, "redis", "redis") == 0
        refused = kbz("restart", "redis", "--limit", HOSTS[0])
        assert "redis.takeover" in refused.stdout + refused.stderr
        ledger.rank_all(100)
        assert spare(kbz, "redis", "redis") == 1
        kbz.good("restart", "redis", "--limit", old := ledger.master())
        assert ledger.master() != old, "Sentinel said NOGOODSLAVE, by its ranks of 10 s before"

    def test_a_user_without_a_password_is_an_open_door(self, kbz: Kbz, ledger: RedisLedger) -> None:
        command(ledger, HOSTS[0], "ACL", "SETUSER", "x", "on", "nopass", "~*", "+@all")
        agrees(kbz, HOSTS[0], "r acl list", "user x on nopass")
        told = findings(kbz, "redis", "redis")["redis.users.described"]
        assert "let in without a password: x" in told
        command(ledger, HOSTS[0], "ACL", "DELUSER", "x")
        assert "redis.users.described" not in findings(kbz, "redis", "redis")

    def test_users_that_may_not_be_read_are_unknown_and_never_ok(
        self, kbz: Kbz, ledger: RedisLedger
    ) -> None:
        """Redis refuses the one command to whom kbz logs in as: `-acl|list` is a rule of Redis 7."""
        command(ledger, HOSTS[0], "ACL", "SETUSER", "default", "-acl|list")
        try:
            agrees(kbz, HOSTS[0], "r acl list || true", "NOPERM")
            done = kbz("health", "redis", "--limit", "redis", "--format", "json")
            told = [f for f in done.json()["findings"] if f["check"] == "redis.users.described"]
            unknown = [f for f in told if f["level"] == "unknown"]
            assert [(f["host"], f["cause"]) for f in unknown] == [(HOSTS[0], None)]
            assert "NOPERM" in unknown[0]["message"]
            assert unknown[0]["hint"] == "kbz explain redis.users.described"
            assert [f["level"] for f in told if f["host"] != HOSTS[0]] == ["ok", "ok"]
            assert done.code == 2
        finally:
            command(ledger, HOSTS[0], "ACL", "SETUSER", "default", "+@all")

    def test_a_replica_that_cannot_save_is_no_spare_and_ends_at_the_next_write(
        self, kbz: Kbz, ledger: RedisLedger
    ) -> None:
        """K-54: Redis' own answer to a write from the master; what was set live is gone with it."""
        host = next(host for host in HOSTS if host != ledger.master())
        with ledger.node(host) as client:
            client.config_set("replica-priority", 7)
            kbz.on(host, "docker exec redis chmod 500 /data")
            client.bgsave()
            until(
                lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", 30, "no save"
            )
        told = findings(kbz, "redis", "redis")["redis.writes.taken"]
        assert (told.partition(":")[0], "rdb_last_bgsave_status is err" in told) == (host, True)
        done = kbz("drift", "redis", "--limit", "redis", "--format", "json").json()
        items = tuple(item["id"] for item in done["drift"]["items"])
        assert any(item.endswith(f"{host}/directory:{DATA}") for item in items), items
        state = Seen("K-54", host, "redis.writes.taken", ("drift/redis/folder",), told_of=host)
        assert wrong(kbz, [state], "redis") == []
        before = started(kbz, host)
        ledger.write()
        until(lambda: started(kbz, host) != before, 60, "it has ended, and was started again")
        agrees(kbz, host, "docker logs redis", "unable to write command to disk")
        kbz.good(*LIFTED)
        with ledger.node(host) as client:
            assert client.config_get("replica-priority")["replica-priority"] == "100"
        until(lambda: not of_redis(findings(kbz, "redis", "redis")), 60, "it is whole again")


class TestInstalledAgain:
    def test_the_owner_tells_who_leads_and_a_run_brings_its_data_back(
        self, kbz: Kbz, ledger: RedisLedger
    ) -> None:
        """K-84: the data folders were kept; no file of kbz and no container."""
        for _ in range(5):
            ledger.write(copies=2)
        leading = ledger.master()
        for host in HOSTS:
            kbz.on(host, f"docker rm -f redis redis-sentinel; cd {ROOT}; rm -r conf runtime")
        refused = kbz(*LIFTED)
        said = " ".join((refused.stdout + refused.stderr).split())
        assert refused.code == ExitCode.REFUSED, said
        assert {kbz.on(host, f"ls {ROOT}").strip() for host in HOSTS} == {"data"}
        way_out = said.partition("without that file ")[2].partition(", with its address")[0]
        for host in HOSTS:
            if host != leading:
                kbz.on(host, way_out.replace("ADDRESS", ADDRESSES[leading]))
        kbz.good(*LIFTED)
        assert ledger.master() == leading
        assert ledger.missing() == set()


def started(kbz: Kbz, host: str) -> str:
    """Return since when Redis runs there."""
    return kbz.on(host, "docker inspect -f '{{.State.StartedAt}}' redis")
