"""What keeps a replica from taking over, and who is let in. Values as a real Redis 7.2 tells them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keybuzz.engine.change.guard import QuorumError, cluster_of, guard_quorum
from keybuzz.engine.look.judging import stopping
from keybuzz.engine.roll.next_member import whole
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.host.docker import Container
from tasks.redis import MODULE
from tasks.redis.checks import checks
from tasks.redis.members import able, min_replicas
from tests.unit.tasks.redis.redis_world import HOSTS, NAME, WHEN
from tests.unit.tasks.redis.test_checks_redis import MASTER, answering, healthy

OWN = "user default on #… sanitize-payload ~* &* +@all"


def told(live: Live, check: str) -> list[Finding]:
    return [item for item in checks(live) if item.check == check and item.level > Level.OK]


def saying(live: Live, host: str, command: str, reply: Any, reading: str = "redis.node") -> Live:
    value = live.hosts[host].answer(reading).value
    return answering(
        live, host, reading, {**value, "replies": {**value["replies"], command: reply}}
    )


def address(live: Live, host: str) -> str:
    """Return where a host's Sentinel listens: nowhere else, so that a command must say it."""
    return str(live.hosts[host].server.address)


class TestPriority:
    """S-10: `CONFIG SET replica-priority 0` everywhere; SENTINEL FAILOVER then says NOGOODSLAVE."""

    def live(self) -> Live:
        live = healthy()
        for host in HOSTS:
            live = saying(live, host, "CONFIG GET replica-priority", {"replica-priority": "0"})
        return live

    def test_no_replica_can_take_over(self) -> None:
        live = self.live()
        [found] = told(live, "redis.takeover")
        assert found.level is Level.CRITICAL
        assert able(live) == {MASTER}
        assert len(told(live, "redis.replica.priority")) == 3

    def test_no_spare_is_counted_and_the_master_may_not_be_stopped(self) -> None:
        counted = cluster_of(MODULE, self.live())
        assert (len(counted.up), counted.spare) == (3, 0)
        container = Container("redis", "image:1")
        stage = Stage(
            "replace", (Change(MASTER, "redis", container, Action.UPDATE, disrupts=True),)
        )
        with pytest.raises(QuorumError, match="no other member of redis could take over"):
            guard_quorum(stage, [counted])

    def test_priorities_that_nobody_may_read_are_no_promise(self) -> None:
        """`ACL SETUSER default -config` on all: each may have 0."""
        live = healthy()
        for host in HOSTS:
            live = saying(live, host, "CONFIG GET replica-priority", {"error": "NOPERM no access"})
        [found] = told(live, "redis.takeover")
        assert found.level is Level.UNKNOWN
        assert "NOPERM" in found.message

    def test_one_of_two_is_a_warning(self) -> None:
        other = next(host for host in HOSTS if host != MASTER)
        live = saying(healthy(), other, "CONFIG GET replica-priority", {"replica-priority": "0"})
        assert told(live, "redis.takeover") == []
        [found] = told(live, "redis.replica.priority")
        assert (found.host, found.level) == (other, Level.WARN)


class TestUsers:
    """S-12: `ACL SETUSER x on nopass ~* +@all`."""

    @pytest.mark.parametrize(
        ("line", "level"),
        [
            ("user x on nopass sanitize-payload ~* &* +@all", Level.CRITICAL),
            ("user x on #… sanitize-payload ~app:* resetchannels -@all +get", Level.WARN),
            ("user x off nopass ~* &* +@all", Level.OK),
        ],
    )
    def test_who_is_let_in(self, line: str, level: Level) -> None:
        live = saying(healthy(), MASTER, "ACL LIST", [OWN, line])
        assert max(f.level for f in checks(live) if f.check == "redis.users.described") is level

    def test_the_described_user_without_a_password_is_an_open_door(self) -> None:
        live = saying(healthy(), MASTER, "ACL LIST", ["user default on nopass ~* &* +@all"])
        [found] = told(live, "redis.users.described")
        assert found.level is Level.CRITICAL


@pytest.mark.parametrize("by", ["elsewhere", "on a member, at another port"])
def test_a_foreign_replica_is_told_with_its_address_and_the_way_out(by: str) -> None:
    """S-13: a replica that came and went, and that Sentinel remembers."""
    live = healthy()
    host = HOSTS[0]
    ip, port = ("10.0.0.99", "6379") if by == "elsewhere" else (address(live, host), "6399")
    known = [{"name": f"{ip}:{port}", "ip": ip, "port": port}]
    live = saying(live, host, f"SENTINEL REPLICAS {NAME}", known, "redis.sentinel")
    masters = live.hosts[host].answer("redis.sentinel").value["replies"]["SENTINEL MASTERS"]
    live = saying(
        live, host, "SENTINEL MASTERS", [{**masters[0], "num-slaves": "3"}], "redis.sentinel"
    )
    [found] = told(live, "redis.sentinel.quorum")
    assert f"foreign: {ip}:{port}" in found.message
    assert f"redis-cli -h {address(live, host)} -p 26379 SENTINEL RESET {NAME}" in found.hint


class TestFailover:
    """Sentinel's settings made by hand, so that no failover begins: CKQUORUM may still be good."""

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("quorum", "9"),
            ("down-after-milliseconds", "86400000"),
            ("failover-timeout", "2147483647"),
        ],
    )
    def test_it_is_critical_with_the_command_that_ends_it(self, name: str, value: str) -> None:
        live = healthy()
        [master] = (
            live.hosts[HOSTS[1]].answer("redis.sentinel").value["replies"]["SENTINEL MASTERS"]
        )
        masters = [{**master, name: value}]
        live = saying(live, HOSTS[1], "SENTINEL MASTERS", masters, "redis.sentinel")
        [found] = told(live, "redis.sentinel.failover")
        described = dict(WHEN)[name]
        assert (found.level, found.host) == (Level.CRITICAL, HOSTS[1])
        assert f"{name} is {value} instead of {described}" in found.message
        where = f"redis-cli -h {address(live, HOSTS[1])} -p 26379"
        assert found.hint.endswith(f"{where} SENTINEL SET {NAME} {name} {described}")
        assert [f.host for f in stopping(MODULE.checks(live)) if f.check == found.check] == [
            HOSTS[1]
        ]


class TestSentinelsLogin:
    """`SENTINEL SET … auth-pass wrong`: pings are answered with NOAUTH, at once, and the master counts as down."""

    def live(self, *, good: int, answered: int) -> Live:
        live = healthy()
        [master] = (
            live.hosts[HOSTS[1]].answer("redis.sentinel").value["replies"]["SENTINEL MASTERS"]
        )
        told = {**master, "last-ok-ping-reply": str(good), "last-ping-reply": str(answered)}
        return saying(live, HOSTS[1], "SENTINEL MASTERS", [told], "redis.sentinel")

    def with_another(self, live: Live, host: str) -> Live:
        """Give the Sentinel of a host another password than the store's."""
        view, monitor = live.hosts[host], f"sentinel-monitor:{NAME}"
        wrong = {**view.states[monitor].attributes, "auth_pass_matches": False}
        states = {**view.states, monitor: replace(view.states[monitor], attributes=wrong)}
        return replace(live, hosts={**live.hosts, host: replace(view, states=states)})

    def test_an_error_that_is_not_of_the_password_is_told_as_one(self) -> None:
        [found] = told(self.live(good=61_000, answered=800), "redis.sentinel.login")
        assert found.level is Level.CRITICAL
        assert "MISCONF" in found.message
        assert "kbz run" not in found.hint

    def test_one_that_is_not_let_in_is_named_with_what_mends_it(self) -> None:
        live = self.with_another(self.live(good=61_000, answered=800), HOSTS[1])
        [found] = told(live, "redis.sentinel.login")
        assert (found.level, found.host) == (Level.CRITICAL, HOSTS[1])
        assert "answers its Sentinel, and does not let it in" in found.message
        assert f"kbz run redis --limit {HOSTS[1]}" in found.hint
        assert "redis.sentinel.login" in str(whole(MODULE, 1.0, frozenset()).reason(live))

    def test_a_master_that_is_down_is_no_wrong_password(self) -> None:
        assert told(self.live(good=61_000, answered=61_000), "redis.sentinel.login") == []

    def test_another_password_than_the_stores_is_told_before_the_next_connection(self) -> None:
        live = self.with_another(healthy(), HOSTS[2])
        [found] = told(live, "redis.sentinel.login")
        assert "its next connection is refused" in found.message


REPLICA = next(host for host in HOSTS if host != MASTER)
SAVE_FAILED = {"aof_enabled": "1", "aof_last_write_status": "ok", "rdb_last_bgsave_status": "err"}


class TestWrites:
    """MISCONF and NOREPLICAS: Redis answers, Sentinel is content, and no application can write."""

    def test_a_master_whose_save_failed_refuses_every_write(self) -> None:
        [found] = told(
            saying(healthy(), MASTER, "INFO persistence", SAVE_FAILED), "redis.writes.taken"
        )
        assert (found.host, found.level) == (MASTER, Level.CRITICAL)
        assert "rdb_last_bgsave_status is err" in found.message

    def test_a_replica_whose_save_failed_would_and_is_no_spare(self) -> None:
        live = saying(healthy(), REPLICA, "INFO persistence", SAVE_FAILED)
        [found] = told(live, "redis.writes.taken")
        assert (found.host, found.level) == (REPLICA, Level.WARN)
        assert REPLICA not in able(live)

    @pytest.mark.parametrize(("wanted", "good", "refused"), [("3", "2", True), ("2", "2", False)])
    def test_too_few_replicas_that_keep_up(self, wanted: str, good: str, refused: bool) -> None:
        command = "CONFIG GET min-replicas-to-write"
        live = saying(healthy(), MASTER, command, {"min-replicas-to-write": wanted})
        replication = live.hosts[MASTER].answer("redis.node").value["replies"]["INFO replication"]
        replication = {**replication, "min_slaves_good_slaves": good}
        live = saying(live, MASTER, "INFO replication", replication)
        assert [f.level for f in told(live, "redis.writes.taken")] == [Level.CRITICAL] * refused

    def test_the_setting_on_a_replica_holds_nothing_back_yet(self) -> None:
        command = "CONFIG GET min-replicas-to-write"
        live = saying(healthy(), REPLICA, command, {"min-replicas-to-write": "3"})
        assert told(live, "redis.writes.taken") == []

    def test_a_replica_that_takes_writes_of_its_own(self) -> None:
        live = healthy()
        replication = live.hosts[REPLICA].answer("redis.node").value["replies"]["INFO replication"]
        live = saying(live, REPLICA, "INFO replication", {**replication, "slave_read_only": "0"})
        [found] = told(live, "redis.replica.read-only")
        assert (found.host, found.level) == (REPLICA, Level.WARN)


@pytest.mark.parametrize("told", ["0", "1"])
def test_min_replicas_is_told_though_nothing_is_described_of_it(told: str) -> None:
    """`kbz adopt --take-settings`: with 0 in site.yaml, no file and no resource names it."""
    command = "CONFIG GET min-replicas-to-write"
    live = saying(healthy(), HOSTS[0], command, {"min-replicas-to-write": told}, "redis.node")
    assert min_replicas(live.hosts[HOSTS[0]], "0") == told
