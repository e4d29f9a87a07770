"""Redis and Sentinel on real servers: from three bare hosts to a cluster, its freeze, its failovers, a blackout.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.conftest import ONE_LOOK, Done, Kbz, until
from tests.lab.ledgers.redis_ledger import ADDRESSES, MASTER, RedisLedger
from tests.lab.support.adopting import takes_over, takes_settings, with_own_policies

pytestmark = pytest.mark.lab

HOSTS = tuple(ADDRESSES)
CONF = "/opt/keybuzz/redis/conf/redis.conf"
RUNTIME = "/opt/keybuzz/redis/runtime/redis/redis.conf"
SENTINEL = "/opt/keybuzz/redis/runtime/sentinel/sentinel.conf"
RUN = ("run", "redis", "--limit", "redis", "--format", "json")
REASON = "the owner said so on the phone"
LIFTED = (*RUN, "--lift-freeze", "redis", "--reason", REASON)


@pytest.fixture(scope="module")
def kbz(redis_lab: Kbz) -> Kbz:
    """Three bare Redis servers; nothing is put on the two entry servers beside them."""
    return redis_lab


@pytest.fixture(scope="module")
def ledger(kbz: Kbz) -> RedisLedger:
    return RedisLedger(kbz)


def containers(kbz: Kbz) -> dict[str, str]:
    """Return id and start time of both containers of each host."""
    shown = "docker inspect -f '{{.Id}} {{.State.StartedAt}}' redis redis-sentinel"
    return {host: kbz.on(host, shown) for host in HOSTS}


def file_times(kbz: Kbz) -> dict[str, str]:
    """Return the change times of what kbz writes on each host."""
    return {host: kbz.on(host, f"stat -c '%n %i %y %U %a' {CONF} {RUNTIME}") for host in HOSTS}


def changed(done: Done) -> set[tuple[str, str]]:
    """Return host and resource of every change in a plan."""
    return {(item["host"], item["resource"]) for item in done.json()["plan"]["changes"]}


class Watch:
    """Looks at all nodes all the time: how many masters are there at once?"""

    def __init__(self, ledger: RedisLedger) -> None:
        self.seen: list[dict[str, str]] = []
        self._ledger = ledger
        self._end = threading.Event()

    @contextmanager
    def running(self) -> Iterator[Watch]:
        thread = threading.Thread(target=self._look)
        thread.start()
        try:
            yield self
        finally:
            self._end.set()
            thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.02):
            self.seen.append(self._ledger.roles())

    def masters_of(self, host: str) -> bool:
        """Return whether a host was ever seen as master."""
        return any(roles.get(host) == "master" for roles in self.seen)


class TestGround:
    def test_beside_the_data_of_an_older_cluster_nothing_is_installed(self, kbz: Kbz) -> None:
        """It was taken for virgin ground: the old container was gone, and its volume has a name of its own."""
        path = "/var/lib/docker/volumes/kb-old/_data/dump.rdb"
        kbz.on("redis-02", f"docker volume create kb-old && printf REDIS0012 > {path}")
        refused = kbz(*RUN)
        assert refused.code == 3
        error = refused.json()["error"]
        assert error.startswith("redis-02: ")
        assert f"redis in {path.rpartition('/')[0]} (RDB 12, volume kb-old)" in error
        for host in HOSTS:
            assert kbz.on(host, "docker ps -aq; ls /opt/keybuzz/redis 2>/dev/null || true") == ""
        assert kbz.on("redis-02", f"cat {path}") == "REDIS0012"
        kbz.on("redis-02", "docker volume rm kb-old")


class TestFirstInstall:
    def test_from_bare_hosts_to_one_master_two_replicas_three_sentinels(
        self, kbz: Kbz, ledger: RedisLedger
    ) -> None:
        kbz.good(*RUN)
        assert ledger.roles() == {"redis-01": "master", "redis-02": "slave", "redis-03": "slave"}
        document = kbz.good("health", "redis", "--limit", "redis", "--format", "json").json()
        found = [f for f in document["findings"] if f["check"].startswith("redis.")]
        assert {f["level"] for f in found} == {"ok"}
        [topology] = document["topologies"]
        assert topology["cluster"] == MASTER
        assert [member["role"] for member in topology["members"]] == [
            "master",
            "replica",
            "replica",
        ]

    def test_sentinels_agree_and_reach_their_quorum(self, ledger: RedisLedger) -> None:
        for host in HOSTS:
            with ledger.sentinel(host) as sentinel:
                master = sentinel.sentinel_master(MASTER)
                assert (master["ip"], master["quorum"]) == ("10.0.0.123", 2)
                assert (master["num-other-sentinels"], master["num-slaves"]) == (2, 2)
                said = sentinel.execute_command("SENTINEL", "CKQUORUM", MASTER)
                assert said.startswith("OK 3 usable Sentinels")

    def test_settled_options_hold_in_the_running_daemon(self, ledger: RedisLedger) -> None:
        for host in HOSTS:
            with ledger.node(host) as client:
                found = client.config_get()
                assert found["bind"] == ADDRESSES[host]
                assert (found["appendonly"], found["appendfsync"]) == ("yes", "everysec")
                assert (found["save"], found["maxmemory-policy"]) == (
                    "900 1 300 10",
                    "allkeys-lru",
                )

    def test_a_write_is_on_both_replicas(self, ledger: RedisLedger) -> None:
        for _ in range(20):
            ledger.write(copies=2)
        assert ledger.missing() == set()

    def test_a_second_run_changes_nothing_and_asks_each_host_once(self, kbz: Kbz) -> None:
        before = containers(kbz), file_times(kbz)
        document = kbz.good(*RUN).json()
        assert document["plan"]["size"] == 0
        assert document["round_trips"] == dict.fromkeys(HOSTS, ONE_LOOK)
        assert (containers(kbz), file_times(kbz)) == before

    def test_the_password_is_in_no_process_no_container_and_no_log(
        self, kbz: Kbz, ledger: RedisLedger
    ) -> None:
        password = (kbz.root / "credentials/redis.env").read_text().split("REDIS_PASSWORD=")[1]
        password = password.splitlines()[0]
        shown = (
            "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; "
            "docker inspect redis redis-sentinel; docker logs redis 2>&1; docker logs redis-sentinel 2>&1"
        )
        for host in HOSTS:
            seen = kbz.on(host, shown)
            assert "redis-server" in seen
            assert password not in seen
            modes = kbz.on(host, f"stat -c '%u %a' {CONF} {RUNTIME} {SENTINEL}").split("\n")
            assert set(modes) - {""} == {"999 600"}


class TestFreeze:
    """FRZ-1 on a deployed cluster, with three kinds of hand edits at once."""

    def test_another_password_and_value_are_taken_over(self, kbz: Kbz) -> None:
        takes_settings(kbz, "redis", "redis.maxmemory", "64mb")
        taken = takes_over(kbz, "redis", "REDIS_PASSWORD", "redis.env")
        assert "take REDIS_PASSWORD into redis.env: a login on every member proved it" in taken
        assert f"file {CONF}" in taken
        assert kbz(*RUN).json()["plan"]["size"] == 0

    def test_hand_edits_are_reported_and_nothing_is_changed(
        self, kbz: Kbz, ledger: RedisLedger
    ) -> None:
        kbz.on("redis-01", f"sed -i 's/^appendfsync .*/appendfsync no/' {CONF}")
        with ledger.node("redis-02") as client:
            client.config_set("maxmemory-policy", "noeviction")
        kbz.on("redis-03", _by_hand("-e BY_HAND=1"))
        before = containers(kbz), file_times(kbz)
        edits = {
            ("redis-01", f"file:{CONF}"),
            ("redis-02", "redis-settings:live"),
            ("redis-03", "container:redis-sentinel"),
        }
        assert changed(kbz("drift", "redis", "--limit", "redis", "--format", "json")) == edits
        done = kbz(*RUN)
        assert done.code == 3
        assert "frozen (FRZ-1)" in done.json()["error"]
        assert changed(done) == edits
        assert "3 changes needed, none made" in kbz("run", "redis", "--limit", "redis").stdout
        assert (containers(kbz), file_times(kbz)) == before
        with ledger.node("redis-02") as client:
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}

    def test_an_accepted_edit_is_quiet_until_it_is_another(self, kbz: Kbz) -> None:
        """By a site of its own, whose policies.yaml may be edited."""
        site = with_own_policies(kbz)
        item = f"drift/redis-01/file:{CONF}"
        said = site.good("drift", "accept", item, "--reason", REASON, "--until", "2199-12-31")
        assert f"+  - difference: {item}" in said.stdout
        quiet = site("drift", "redis", "--limit", "redis", "--format", "json")
        assert (quiet.code, ("redis-01", f"file:{CONF}") in changed(quiet)) == (2, False)
        kbz.on("redis-01", f"sed -i 's/^appendfsync .*/appendfsync always/' {CONF}")
        again = site("drift", "redis", "--limit", "redis", "--format", "json")
        assert ("redis-01", f"file:{CONF}") in changed(again)
        assert any("is not what was accepted" in text for text in again.json()["warnings"])

    def test_a_lift_applies_them_and_the_journal_says_who_why_what(
        self, kbz: Kbz, ledger: RedisLedger
    ) -> None:
        before = containers(kbz)
        kbz.good(*LIFTED)
        after = containers(kbz)
        assert {host for host in HOSTS if after[host] != before[host]} == {"redis-03"}
        assert "appendfsync everysec" in kbz.on("redis-01", f"cat {CONF}")
        with ledger.node("redis-02") as client:
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
        assert "BY_HAND" not in kbz.on("redis-03", "docker inspect redis-sentinel")
        assert kbz.good(*RUN).json()["plan"]["size"] == 0
        [_, lifted] = kbz.good(
            "history", "--verb", "run", "--last", "2", "--format", "json"
        ).json()["runs"]
        assert REASON in lifted["command"]
        assert lifted["owner"].startswith("root@")
        shown = kbz.good("history", str(lifted["run"])).stdout
        assert "container:redis-sentinel  redis-03" in shown

    def test_runtime_state_survives_a_repair(self, kbz: Kbz, ledger: RedisLedger) -> None:
        """The Sentinel that was replaced kept its identity: its file was not written by us."""
        text = kbz.on("redis-03", f"cat {SENTINEL}")
        myid = next(line.split()[-1] for line in text.splitlines() if "sentinel myid" in line)
        with ledger.sentinel("redis-03") as sentinel:
            assert sentinel.execute_command("SENTINEL", "MYID") == myid
        assert text.count("sentinel known-sentinel") == 2


class TestHandOver:
    def test_the_master_is_replaced_last_and_no_acknowledged_write_is_lost(
        self, kbz: Kbz, ledger: RedisLedger
    ) -> None:
        old = ledger.master()
        kbz.on(old, "docker update --restart=always redis")
        end = threading.Event()

        def write() -> None:
            while not end.is_set():
                ledger.write()

        writer = threading.Thread(target=write)
        writer.start()
        try:
            with Watch(ledger).running() as watch:
                document = kbz.good(*LIFTED).json()
        finally:
            end.set()
            writer.join()
        assert document["hosts"][old]["changed"] == 2
        new = ledger.master()
        assert new != old
        assert (ledger.roles()[old], watch.masters_of(new)) == ("slave", True)
        assert ledger.missing() == set()


class TestFailover:
    def test_a_killed_master_is_replaced_by_sentinel(self, kbz: Kbz, ledger: RedisLedger) -> None:
        old = ledger.master()
        for _ in range(20):
            ledger.write(copies=2)
        kbz.good("lab", "fault", "kill-container", old, "redis")
        until(lambda: _other_master(ledger, old), 60, "another member is master")
        for _ in range(20):
            ledger.write(copies=1)
        assert ledger.missing() == set()

    def test_a_stopped_master_on_a_frozen_cluster_is_drift_and_stays_stopped(
        self, kbz: Kbz, ledger: RedisLedger
    ) -> None:
        [down] = set(HOSTS) - set(ledger.roles())
        done = kbz(*RUN)
        assert done.code == 3
        # Settings and passwords of a stopped Redis cannot be read: known after apply.
        assert changed(done) == {
            (down, "container:redis"),
            (down, "redis-settings:live"),
            (down, "redis-password:default"),
        }
        assert down not in ledger.roles()

    def test_no_rerun_takes_the_failover_back_and_there_is_never_a_second_master(
        self, kbz: Kbz, ledger: RedisLedger
    ) -> None:
        """With the lift the old master is started: as a replica from its first word on."""
        [down] = set(HOSTS) - set(ledger.roles())
        leading = ledger.master()
        with Watch(ledger).running() as watch:
            kbz.good(*LIFTED)
        assert any(down in roles for roles in watch.seen)
        assert not watch.masters_of(down)
        assert ledger.master() == leading
        assert sorted(ledger.roles().values()) == ["master", "slave", "slave"]
        assert kbz.good(*RUN).json()["plan"]["size"] == 0
        assert ledger.missing() == set()


class TestBlackout:
    def test_all_hosts_stop_and_start_and_keep_data_and_one_master(
        self, kbz: Kbz, ledger: RedisLedger
    ) -> None:
        for _ in range(50):
            ledger.write(copies=2)
        until(lambda: all(_flushed(ledger, host) for host in HOSTS), 10, "written to disk")
        before = {host: _identity(kbz, host) for host in HOSTS}
        for host in HOSTS:
            kbz.good("lab", "fault", "stop", host)
        for host in HOSTS:
            kbz.good("lab", "fault", "start", host)
        whole = ("health", "redis", "--limit", "redis")
        until(lambda: kbz(*whole).code == 0, 60, "all daemons are back by themselves")
        document = kbz.good(*RUN).json()
        assert document["plan"]["size"] == 0
        assert sorted(ledger.roles().values()) == ["master", "slave", "slave"]
        assert ledger.missing() == set()
        assert {host: _identity(kbz, host) for host in HOSTS} == before
        ledger.write(copies=2)


def _by_hand(extra: str) -> str:
    """Return what somebody in a hurry types: the same Sentinel, and a little more."""
    return (
        "docker rm -f redis-sentinel && docker run -d --name redis-sentinel --network host "
        f"--restart unless-stopped --user redis {extra} -v /opt/keybuzz/redis/conf:/opt/keybuzz/redis/conf:ro "
        "-v /opt/keybuzz/redis/runtime/sentinel:/data:rw redis:7.2.5-alpine "
        "redis-sentinel /data/sentinel.conf --include /opt/keybuzz/redis/conf/sentinel-options.conf"
    )


def _other_master(ledger: RedisLedger, old: str) -> bool:
    return [host for host, role in ledger.roles().items() if role == "master"] not in ([], [old])


def _flushed(ledger: RedisLedger, host: str) -> bool:
    with ledger.node(host) as client:
        found = client.info("persistence")
    return bool(found["aof_buffer_length"] == 0 and found["aof_pending_bio_fsync"] == 0)


def _identity(kbz: Kbz, host: str) -> str:
    return kbz.on(host, "docker inspect -f '{{.Id}}' redis redis-sentinel")
