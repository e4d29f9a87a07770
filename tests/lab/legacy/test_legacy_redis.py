"""Redis, Sentinel and their entry as older scripts left them, brought under kbz while an application writes.

The tests of this file build on each other, in the order of the file; each variant begins with bare servers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from tests.lab.conftest import Kbz
from tests.lab.ledgers.redis_ledger import ADDRESSES
from tests.lab.legacy.old_fleet import (
    OldFleet,
    accepted_once_and_quiet,
    assert_once,
    foretold_restarts,
    interrupted,
    running,
    told,
)
from tests.lab.support.endpoints import REDIS, Applications
from tests.lab.support.writing import writing

pytestmark = [pytest.mark.lab, pytest.mark.long]

HOSTS = (*ADDRESSES, "haproxy-01", "haproxy-02")
MODULES = ("redis-proxy", "redis")
"""In the order in which they are brought over: an entry that follows Sentinel before the master moves."""


@pytest.fixture(scope="module", params=["arguments", pytest.param("files", marks=pytest.mark.long)])
def old(request: pytest.FixtureRequest, redis_lab: Kbz) -> Iterator[OldFleet]:
    """Three old Redis servers and two old entries, with data; bare again at the end."""
    made = OldFleet(redis_lab, HOSTS, "redis,haproxy")
    made.kbz.good("lab", "legacy", "redis", "--variant", request.param)
    made.kbz.good("lab", "legacy", "redis-proxy")
    yield made
    made.make_bare()


def content(old: OldFleet, host: str) -> tuple[int, str]:
    """Return the number of the old keys on one node, and a checksum of their names and values."""
    password = old.secrets()["REDIS_PASSWORD"]
    with (
        visiting(NAMESPACES / old.kbz.root.name),
        closing(redis.Redis(ADDRESSES[host], 6379, password=password)) as client,
    ):
        keys = sorted(client.scan_iter("order:*", count=5000))
        values = client.mget(keys)
        jobs = client.lrange("jobs", 0, -1)
    digest = hashlib.sha256(repr((keys, values, jobs)).encode()).hexdigest()
    return len(keys) + len(jobs), digest


def changes(old: OldFleet) -> dict[str, int]:
    """Return how many writes each node counts since it last saved, and the offset of its stream."""
    password = old.secrets()["REDIS_PASSWORD"]
    found: dict[str, int] = {}
    for host, address in ADDRESSES.items():
        with (
            visiting(NAMESPACES / old.kbz.root.name),
            closing(redis.Redis(address, 6379, password=password)) as client,
        ):
            found[host] = int(client.info("persistence")["rdb_changes_since_last_save"])
    return found


class TestLook:
    def test_adopt_changes_nothing_and_tells_no_secret(self, old: OldFleet) -> None:
        before = changes(old)
        found = old.foretold("redis", "redis-proxy")
        assert changes(old) == before
        [refusal] = found["redis"]["refusals"]
        assert "does not take the password of redis.env" in refusal["what"]
        assert "kbz adopt redis --take-credentials" in refusal["hint"]
        old.looked("plan", "redis", "redis-proxy", "--limit", old.limit)
        old.looked("drift", "redis", "redis-proxy", "--limit", old.limit)

    def test_a_run_refuses_and_writes_nothing(self, old: OldFleet) -> None:
        refused = old.looked(*old.lifted("redis"), codes=(3,))
        assert "does not take the password of redis.env" in refused.stdout + refused.stderr

    def test_the_live_credentials_are_taken_over_by_the_typed_name(self, old: OldFleet) -> None:
        taken = old.looked("adopt", "redis", "--take-credentials", "--confirm", "redis", codes=(0,))
        assert (
            "take REDIS_PASSWORD into redis.env: a login on every member proved it" in taken.stdout
        )
        assert [item["refusals"] for item in old.foretold("redis").values()] == [[], []]

    def test_what_stays_is_accepted_once_and_quiet_from_then_on(self, old: OldFleet) -> None:
        """By a site of its own, whose policies.yaml may be edited."""
        look = accepted_once_and_quiet(old, "redis", "drift/redis-*/container:redis")
        assert "container:redis-sentinel" in told(look)


class TestConverge:
    def test_member_by_member_behind_the_gates_no_write_is_lost(self, old: OldFleet) -> None:
        before, data = running(old), content(old, "redis-01")
        assert data[0] >= 5000
        foretold = foretold_restarts(old.foretold(*MODULES))
        with writing(Applications(old.kbz), REDIS) as acknowledged:
            for module in MODULES:
                done = old.kbz.good(*old.lifted(module), timeout=1200)
                old.untold(done.stdout + done.stderr)
                print(done.stdout, done.stderr)
                assert_once(old, module, done.stdout + done.stderr)
        assert len(acknowledged) > 50
        assert interrupted(before, running(old)) == foretold
        assert {content(old, host) for host in ADDRESSES} == {data}

    def test_a_second_run_has_nothing_to_do_and_nothing_old_is_left(self, old: OldFleet) -> None:
        after = running(old)
        done = old.kbz.good("run", *MODULES, "--limit", old.limit, "--format", "json")
        assert done.json()["plan"]["size"] == 0
        assert running(old) == after
        assert old.strays(*MODULES) == set()
        shown = "ls /etc/systemd/system /etc/cron.d; docker ps -a --format '{{.Names}}'"
        for host in HOSTS:
            there = set(old.kbz.on(host, shown).split())
            assert not {name for name in there if "docker" in name or "update-master" in name}
            assert "redis-sentinel-watcher" not in there
        for module in MODULES:
            assert old.foretold(module)[module]["differences"] == []
