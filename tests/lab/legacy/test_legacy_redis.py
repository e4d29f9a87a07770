"""Redis, Sentinel and their entry as older scripts left them, brought under kbz while an application writes.

The tests of this file build on each other, in the order of the file; each variant begins with bare servers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import redis

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from tests.lab.conftest import Kbz
from tests.lab.ledgers.redis_ledger import ADDRESSES, MASTER
from tests.lab.legacy import daemons
from tests.lab.legacy.old_fleet import OldFleet, accepted_once_and_quiet, assert_once, told
from tests.lab.legacy.refusals import Ground, Refused, RefusedStopped, planted
from tests.lab.legacy.story import Converge, Look, Story
from tests.lab.support.endpoints import REDIS

pytestmark = [pytest.mark.lab, pytest.mark.long]

ENTRIES = ("haproxy-01", "haproxy-02")
HOSTS = (*ADDRESSES, *ENTRIES)
DATA = "/opt/keybuzz/redis"


@pytest.fixture(scope="module", params=["arguments", "files"])
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
        values = client.mget(keys) if keys else []
        jobs = client.lrange("jobs", 0, -1)
    digest = hashlib.sha256(repr((keys, values, jobs)).encode()).hexdigest()
    return len(keys) + len(jobs), digest


STORY = Story(
    ("redis-proxy", "redis"),
    {"redis": ("REDIS_PASSWORD into redis.env: a login on every member proved it",)},
    "drift/redis-*/container:redis",
    tuple(ADDRESSES),
    5000,
    content,
    daemons.of_redis,
    (REDIS,),
)
GROUND = Ground(
    "redis",
    ("redis", "redis-sentinel"),
    DATA,
    "printf REDIS0009 > $1/dump.rdb",
    "who is master cannot be told: fewer than 2 of 3 members agree",
)


class TestLook(Look):
    story = STORY

    def test_what_stays_is_accepted_once_and_quiet_from_then_on(self, old: OldFleet) -> None:
        """What was not accepted is told as before."""
        look = accepted_once_and_quiet(old, "redis", STORY.stays)
        assert "container:redis-sentinel" in told(look)


class TestRefused(Refused):
    story, ground = STORY, GROUND

    @contextmanager
    def foreign(self, old: OldFleet) -> Iterator[str]:
        """The Sentinels follow a master that is no member."""
        if "sentinel" in old.kbz.on("redis-01", f"ls {DATA}").split():
            pytest.skip("in this variant Sentinel has another name for the master")
        try:
            self._monitored(old, "10.0.0.99")
            yield "the master is 10.0.0.99, which is no member in servers.tsv"
        finally:
            self._monitored(old, ADDRESSES["redis-01"])

    def _monitored(self, old: OldFleet, master: str) -> None:
        password = old.secrets()["REDIS_PASSWORD"]
        for host, address in ADDRESSES.items():
            asked = f"docker exec -i redis-sentinel redis-cli -h {address} -p 26379"
            lines = [
                f"SENTINEL REMOVE {MASTER}",
                f"SENTINEL MONITOR {MASTER} {master} 6379 2",
                f"SENTINEL SET {MASTER} auth-pass {password}",
                f"SENTINEL SET {MASTER} down-after-milliseconds 5000 failover-timeout 60000",
            ]
            old.kbz.on(host, f"{asked} <<'END'\n" + "\n".join(lines) + "\nEND")

    @contextmanager
    def newer(self, old: OldFleet) -> Iterator[str]:
        path = f"{DATA}/data/newer.rdb"
        with planted(old, "redis-02", f"printf REDIS0012 > {path}", f"rm -f {path}"):
            yield "redis-02: the data is RDB 12; 11 is the newest that the frozen image loads"


class TestRefusedStopped(RefusedStopped):
    story, ground = STORY, GROUND


class TestConverge(Converge):
    story = STORY

    def ran(self, old: OldFleet, module: str, told: str) -> None:
        assert_once(ADDRESSES if module == STORY.data else ENTRIES, told)

    def test_units_cron_lines_and_the_watcher_have_gone(self, old: OldFleet) -> None:
        shown = "ls /etc/systemd/system /etc/cron.d; docker ps -a --format '{{.Names}}'"
        for host in HOSTS:
            there = set(old.kbz.on(host, shown).split())
            assert not {name for name in there if "docker" in name or "update-master" in name}
            assert "redis-sentinel-watcher" not in there
