"""The entry to Redis on real servers: two bare hosts, failovers that both routes follow, a dead watcher, blackouts.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import json
import time

import pytest
from redis.sentinel import MasterNotFoundError

from tasks.redis_proxy.values import HEARTBEAT, SOCKET, UNIT
from tests.lab.conftest import ONE_LOOK, Done, Kbz, until
from tests.lab.ledgers.redis_application import BALANCER, Application
from tests.lab.ledgers.redis_ledger import ADDRESSES, RedisLedger
from tests.lab.support.states import agrees, findings
from tests.lab.support.watching import kill_at_each_stage, watching

pytestmark = pytest.mark.lab

ENTRIES = ("haproxy-01", "haproxy-02")
ALL = (*ADDRESSES, *ENTRIES)
LIMIT = ("--limit", "redis,haproxy")
RUN = ("run", "redis", "redis-proxy", *LIMIT, "--format", "json")
REASON = ("--reason", "the owner said so on the phone")
LIFTED = (*RUN, "--lift-freeze", "redis-proxy", *REASON)
ROTATE = ("secrets", "rotate", "redis")
LIFT = ("--lift-freeze", "redis", "--lift-freeze", "redis-proxy", *REASON)
HEALTH = ("health", "redis-proxy", *LIMIT, "--format", "json")
ASK = (
    "import socket; s = socket.socket(socket.AF_UNIX); "
    f's.connect("{SOCKET}"); s.sendall(b"show servers state redis-master\\n"); '
    "print(s.makefile().read())"
)


@pytest.fixture(scope="module")
def kbz(redis_lab: Kbz) -> Kbz:
    """Redis stands, whatever ran before, redis-01 is its master, and two bare entry servers are before it."""
    redis = ("redis", "--limit", "redis")
    redis_lab.good("run", *redis, "--lift-freeze", "redis", *REASON)
    RedisLedger(redis_lab).lead("redis-01")
    until(lambda: redis_lab("health", *redis).code == 0, 60, "Redis is whole")
    return redis_lab


@pytest.fixture(scope="module")
def ledger(kbz: Kbz) -> RedisLedger:
    return RedisLedger(kbz)


@pytest.fixture(scope="module")
def application(kbz: Kbz) -> Application:
    return Application(kbz)


def route(kbz: Kbz, entry: str) -> str:
    """Return the address that this host's own HAProxy leads to; empty when it takes no session."""
    done = kbz("lab", "exec", entry, "--", "python3", "-c", ASK)
    names: list[str] = []
    for line in done.stdout.splitlines():
        if line.startswith("# "):
            names = line[2:].split()
        row = dict(zip(names, line.split(), strict=False))
        # 4: it says `disabled` in the file, which stays set however the server is now.
        if row.get("srv_name") == "master" and row["srv_admin_state"] in ("0", "4"):
            return row["srv_addr"]
    return ""


def lead(kbz: Kbz, host: str) -> bool:
    """Return whether both entries lead to this Redis, and nowhere else."""
    return {route(kbz, entry) for entry in ENTRIES} == {ADDRESSES[host]}


def named(ledger: RedisLedger) -> str:
    """Return the master that Sentinel names; empty while it takes it for lost."""
    try:
        return ledger.master()
    except MasterNotFoundError:
        return ""


def heartbeat(kbz: Kbz, entry: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(kbz.on(entry, f"cat {HEARTBEAT}"))
    return found


def containers(kbz: Kbz) -> dict[str, str]:
    shown = "docker inspect -f '{{.Id}} {{.State.StartedAt}}' $(docker ps -aq)"
    return {host: kbz.on(host, shown) for host in ALL}


def levels(done: Done) -> dict[tuple[str, str], str]:
    """Return the level of each finding of this module that is not good, by check and host."""
    return {
        (f["check"], f["host"]): f["level"]
        for f in done.json()["findings"]
        if f["check"].startswith("redis-proxy.") and f["level"] != "ok"
    }


class TestFirstInstall:
    def test_two_bare_entries_lead_to_the_master_that_stands(
        self, kbz: Kbz, ledger: RedisLedger, application: Application
    ) -> None:
        kbz.good(*RUN)
        until(application.writes, 30, "the load balancer has found its targets")
        assert application.write() == ADDRESSES["redis-01"]
        for address in ("10.0.0.11", "10.0.0.12"):
            assert application.write(address) == ADDRESSES["redis-01"]
        assert lead(kbz, "redis-01")
        until(lambda: levels(kbz(*HEALTH)) == {}, 30, "every check is good")
        with ledger.node("redis-02") as replica:
            until(
                lambda: len(replica.smembers("application")) == len(application.there()),
                10,
                "the same on a replica",
            )

    def test_again_0_changes_and_one_request_per_host(self, kbz: Kbz) -> None:
        before = containers(kbz)
        document = kbz.good(*RUN).json()
        assert document["plan"]["size"] == 0
        assert document["round_trips"] == dict.fromkeys(ALL, ONE_LOOK)
        assert containers(kbz) == before

    def test_both_hosts_serve_the_same_files_and_the_password_shows_nowhere(self, kbz: Kbz) -> None:
        text = (kbz.root / "credentials/redis.env").read_text()
        password = text.split("REDIS_PASSWORD=")[1].splitlines()[0]
        shown = (
            "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; "
            f"docker inspect haproxy-redis; docker logs haproxy-redis 2>&1; journalctl -u {UNIT}; "
            f"cat {HEARTBEAT}"
        )
        sums = set()
        for entry in ENTRIES:
            seen = kbz.on(entry, shown)
            assert "redis_watcher.py" in seen
            assert password not in seen
            files = "/opt/keybuzz/redis-lb/conf/haproxy.cfg /opt/keybuzz/redis-lb/watcher/*.*"
            sums.add(kbz.on(entry, f"sha256sum {files}"))
            modes = kbz.on(entry, f"grep -l '{password}' {files} | xargs stat -c %a").split()
            assert modes == ["600", "600"]
        assert len(sums) == 1


class TestFailover:
    def test_both_routes_follow_and_the_old_master_never_gets_a_write_again(
        self, kbz: Kbz, ledger: RedisLedger, application: Application
    ) -> None:
        old = ledger.master()
        with application.traffic() as taken:
            until(lambda: len(taken.by) >= 20, 60, "writes go to the master")
            kbz.good("lab", "fault", "kill-container", old, "redis")
            killed, last = time.monotonic(), max(taken.by)
            until(lambda: named(ledger) not in ("", old), 60, "Sentinel names another")
            elected = time.monotonic() - killed
            new = ledger.master()
            until(lambda: lead(kbz, new), 30, "both entries lead to the new master")
            followed = time.monotonic() - killed
            until(lambda: max(taken.by) > last + 20, 60, "writes go on")
            for entry in ENTRIES:
                beat = heartbeat(kbz, entry)
                assert (beat["master"], beat["trouble"]) == (f"{ADDRESSES[new]}:6379", "")
            kbz.on(old, "docker start redis")
            until(lambda: ledger.roles().get(old) == "slave", 60, "the old master follows")
            back = max(taken.by)
            until(lambda: max(taken.by) > back + 50, 60, "writes go on after it came back")
        print(f"Sentinel: {elected:.1f} s, both routes: {followed:.1f} s after the kill")
        print(f"{len(taken.by)} writes, {len(taken.failures)} refused in between")
        after = {node for number, node in taken.by.items() if number > last + 1}
        assert after == {ADDRESSES[new]}
        assert {number for number in taken.by if number > last + 1} <= application.there()
        until(lambda: kbz("health", "redis", *LIMIT).code == 0, 120, "it replicates again")

    def test_no_rerun_takes_the_failover_back(self, kbz: Kbz, ledger: RedisLedger) -> None:
        leading = ledger.master()
        assert leading != "redis-01"
        assert kbz.good(*RUN).json()["plan"]["size"] == 0
        assert ledger.master() == leading
        assert lead(kbz, leading)


class TestWatcher:
    def test_a_killed_one_is_back_by_itself(self, kbz: Kbz) -> None:
        before = heartbeat(kbz, "haproxy-01")
        kbz.on("haproxy-01", f"systemctl kill -s KILL {UNIT}")

        def back() -> bool:
            beat = heartbeat(kbz, "haproxy-01")
            return beat["pid"] != before["pid"] and beat["trouble"] == ""

        until(back, 60, "another process has had a success")

    def test_a_stopped_one_is_red_and_drift_and_a_run_starts_it(self, kbz: Kbz) -> None:
        kbz.on("haproxy-02", f"systemctl stop {UNIT}")
        agrees(kbz, "haproxy-02", f"systemctl is-active -q {UNIT} || echo stopped", "stopped")
        red = {("redis-proxy.watcher", "haproxy-02"): "critical"}
        assert levels(kbz(*HEALTH)) == red, "at once, while its heartbeat is still fresh"
        assert kbz("health", "redis-proxy", *LIMIT).code == 2
        plan = kbz(*RUN)
        assert plan.code == 3, "Redis is frozen"
        assert [(c["host"], c["resource"]) for c in plan.json()["plan"]["changes"]] == [
            ("haproxy-02", f"systemd-unit:{UNIT}")
        ]
        kbz.good(*LIFTED)
        assert levels(kbz(*HEALTH)) == {}


class TestSentinels:
    def test_one_that_never_fails_over_refuses_a_restart(
        self, kbz: Kbz, ledger: RedisLedger
    ) -> None:
        words = ("SENTINEL", "SET", "kb-redis-master", "quorum")
        for host in ADDRESSES:
            with ledger.sentinel(host) as sentinel:
                sentinel.execute_command(*words, "9")
        agrees(kbz, "redis-01", "s sentinel ckquorum kb-redis-master", "NOQUORUM")
        told = findings(kbz, "redis", "redis")["redis.sentinel.failover"]
        assert "quorum is 9 instead of 2" in told
        assert kbz("restart", "redis", "--limit", "redis-01").code != 0
        for host in ADDRESSES:
            with ledger.sentinel(host) as sentinel:
                sentinel.execute_command(*words, "2")
        assert "redis.sentinel.failover" not in findings(kbz, "redis", "redis")

    def test_one_that_its_redis_does_not_let_in_is_named_and_a_run_mends_it(
        self, kbz: Kbz, ledger: RedisLedger
    ) -> None:
        with ledger.sentinel("redis-02") as sentinel:
            sentinel.execute_command("SENTINEL", "SET", "kb-redis-master", "auth-pass", "wrong")
        not_let_in = "answers its Sentinel, and does not let it in"
        until(
            lambda: not_let_in in findings(kbz, "redis", "redis").get("redis.sentinel.login", ""),
            60,
            "the Sentinel of redis-02 is named",
        )
        asked = "s sentinel master kb-redis-master"
        agrees(kbz, "redis-02", f"w '{asked} | grep -q s_down'; {asked}", "s_down")
        refused = kbz("restart", "redis", "--limit", "redis-01")
        assert "redis.sentinel.login" in refused.stdout + refused.stderr
        kbz.good("run", "redis", "--limit", "redis-02", "--lift-freeze", "redis", *REASON)
        until(lambda: "redis.sentinel.login" not in findings(kbz, "redis", "redis"), 60, "it is in")


class TestPromise:
    @pytest.mark.long  # three minutes each: a host killed and a link cut
    @pytest.mark.parametrize("least", ["0", "1"])
    def test_the_drill_reports_what_was_lost_with_each_setting(self, kbz: Kbz, least: str) -> None:
        overlay = kbz.config.parent / "lab.yaml"
        before = overlay.read_text()
        line = f"parameters:\n  redis.min_replicas_to_write: {least}\n"
        overlay.write_text(before.replace("parameters:\n", line, 1))
        try:
            kbz.good("run", "redis", "--limit", "redis", "--lift-freeze", "redis", *REASON)
            words = ("--scenario", "host-killed", "--scenario", "link-cut", "--confirm", "redis")
            document = kbz.good("drill", "redis", *words, "--format", "json").json()
        finally:
            overlay.write_text(before)
            kbz.good("run", "redis", "--limit", "redis", "--lift-freeze", "redis", *REASON)
        assert document["setting"] == f"min-replicas-to-write {least}"
        assert {trial["verdict"] for trial in document["trials"]} == {"recovered"}
        for trial in document["trials"]:
            print(least, trial)
        split = document["trials"][1]
        assert split["isolated_write_accepted"] is not None


class TestPower:
    def test_an_entry_that_was_off_leads_to_the_true_master_from_its_boot_on(
        self, kbz: Kbz, ledger: RedisLedger, application: Application
    ) -> None:
        kbz.good("lab", "fault", "stop", "haproxy-01")
        took = until(
            lambda: all(application.writes() for _ in range(4)), 60, "the other one serves all"
        )
        print(f"every session served {took:.0f} s after the power was cut")
        kbz.good("lab", "fault", "start", "haproxy-01")
        leading = ledger.master()
        until(lambda: route(kbz, "haproxy-01") == ADDRESSES[leading], 60, "its route is right")
        until(lambda: application.writes("10.0.0.11"), 30, "it takes writes")
        assert application.write("10.0.0.11") == ADDRESSES[leading]

    def test_a_blackout_of_all_hosts_ends_with_the_same_master_and_writes(
        self, kbz: Kbz, ledger: RedisLedger, application: Application
    ) -> None:
        """Once HAProxy kept a wrong master after it, and a script forced redis-01."""
        leading, written = ledger.master(), application.there()
        epoch = _epoch(ledger)
        for host in ALL:
            kbz.good("lab", "fault", "stop", host)
        for host in (*ENTRIES, *ADDRESSES):
            kbz.good("lab", "fault", "start", host)
        until(lambda: levels(kbz(*HEALTH)) == {}, 120, "the entries are good by themselves")
        until(lambda: kbz("health", "redis", *LIMIT).code == 0, 120, "so is Redis")
        now = ledger.master()
        assert sorted(ledger.roles().values()) == ["master", "slave", "slave"]
        assert ledger.roles()[now] == "master"
        # Another one leads only when Sentinel has voted for it: no word of ours promotes.
        assert (now == leading) == (_epoch(ledger) == epoch)
        assert lead(kbz, now)
        assert application.write() == ADDRESSES[now]
        assert written <= application.there()
        assert kbz.good(*RUN).json()["plan"]["size"] == 0


class TestRotation:
    def test_a_frozen_cluster_is_asked_for_before_a_value_is_begun_with(self, kbz: Kbz) -> None:
        done = kbz(*ROTATE)
        assert done.code == 3
        assert "--lift-freeze redis --lift-freeze redis-proxy" in done.stderr
        assert not (kbz.root / "credentials/redis.env.next").exists()

    def test_the_application_is_never_refused_with_the_old_password_until_it_is_told_the_new_one(
        self, kbz: Kbz, ledger: RedisLedger, application: Application
    ) -> None:
        until(lambda: kbz("health", "redis", "redis-proxy", *LIMIT).code == 0, 60, "all is whole")
        before, leading, running = application.store(), ledger.master(), containers(kbz)
        application.told = before
        with watching() as processes, application.traffic() as taken:
            until(lambda: len(taken.by) >= 20, 60, "writes go to the master")
            done = kbz.good(*ROTATE, *LIFT, "--keep-old")
            now, told = application.store(), max(taken.by)
            assert now != before
            until(lambda: max(taken.by) > told + 50, 60, "writes go on with the old one")
            by_itself = kbz(*RUN)
            assert by_itself.code == 3, "a run does not drop what somebody may use"
            assert "kbz secrets rotate redis ends it" in by_itself.stdout
            application.told = now
            told = max(taken.by)
            until(lambda: max(taken.by) > told + 50, 60, "and with the new one")
            end = kbz.good(*ROTATE, *LIFT)
            told = max(taken.by)
            until(lambda: max(taken.by) > told + 50, 60, "and when the old one is gone")
        assert taken.failures == []
        assert set(taken.by) <= application.there()
        assert "takes the old one too" in done.stdout
        application.told = before
        for address in (BALANCER, *ADDRESSES.values()):
            assert not application.writes(address)
        application.told = ""
        assert application.writes()
        assert (ledger.master(), containers(kbz)) == (leading, running)
        assert kbz.good(*RUN).json()["plan"]["size"] == 0
        journal = (kbz.root / "state" / "journal.sqlite").read_bytes()
        for value in (before, now):
            assert value not in done.stdout + done.stderr + end.stdout + end.stderr
            assert value.encode() not in journal
            assert not any(value.encode() in text for text in processes)

    def test_killed_between_stages_the_same_command_goes_on_and_nobody_is_shut_out(
        self, kbz: Kbz, application: Application
    ) -> None:
        application.told = before = application.store()

        def tell() -> None:
            application.told = application.store()

        with application.traffic() as taken:
            seen = kill_at_each_stage(
                kbz,
                "redis",
                "redis",
                "redis-proxy",
                killed=tell,
                # Every half-way point is in tests/unit/tasks/redis/test_rotation_redis.py.
                stages=("Redis takes", "it stands", "change haproxy-02", "redis-03 takes"),
            )
        assert any(word.startswith("stage change haproxy-02") for word in seen)
        assert any(word.startswith("held a real login") for word in seen)
        assert application.told != before
        assert taken.failures == []
        assert kbz.good(*RUN).json()["plan"]["size"] == 0
        assert levels(kbz(*HEALTH)) == {}

    def test_what_was_rotated_stays_so_over_a_restart(
        self, kbz: Kbz, application: Application
    ) -> None:
        application.told = ""
        for host in ADDRESSES:
            kbz.on(host, "docker restart -t 5 redis redis-sentinel")
        until(lambda: kbz("health", "redis", "redis-proxy", *LIMIT).code == 0, 120, "all is whole")
        until(application.writes, 30, "the application writes")
        assert kbz.good(*RUN).json()["plan"]["size"] == 0


def _epoch(ledger: RedisLedger) -> int:
    """Return how often Sentinel has chosen a master: the newest configuration epoch that one of them has."""
    found = []
    for host in ADDRESSES:
        with ledger.sentinel(host) as sentinel:
            found.append(int(sentinel.sentinel_master("kb-redis-master")["config-epoch"]))
    return max(found)
