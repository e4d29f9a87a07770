"""Findings about the entry to Redis, from what hosts answer."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live
from keybuzz.model.core.reading import Answer
from tasks.redis_proxy.checks import checks, topology
from tasks.redis_proxy.members import CFG, CONTAINER, up
from tasks.redis_proxy.values import STALE_AFTER, UNIT, WATCHER
from tests.unit.tasks.redis_proxy.redis_proxy_world import HOSTS, MASTER, OTHER, SENTINELS, World


def bad(live: Live) -> list[tuple[str, str, Level]]:
    return [(f.check, f.host, f.level) for f in checks(live) if f.level > Level.OK]


def finding(live: Live, check: str, host: str = "haproxy-01") -> Finding:
    (found,) = [f for f in checks(live) if f.check == check and f.host in (host, "")]
    return found


def test_everything_good_is_said_host_by_host() -> None:
    live = World.healthy().live()
    assert bad(live) == []
    assert finding(live, "redis-proxy.backend.single").message == (
        f"sessions go to {MASTER}, Sentinel's master"
    )
    assert len(checks(live)) == 7 * 2 + 1


def test_a_route_that_is_not_sentinels_master_is_critical() -> None:
    """After a full reboot HAProxy kept the wrong master, and everything was green."""
    world = World.healthy()
    world.nodes["haproxy-02"].routes = (OTHER,)
    found = finding(world.live(), "redis-proxy.backend.single", "haproxy-02")
    assert found.level is Level.CRITICAL
    assert found.message == f"sessions go to {OTHER}, and the Sentinels name {MASTER}"
    assert finding(world.live(), "redis-proxy.write", "haproxy-02").level is Level.CRITICAL
    assert finding(world.live(), "redis-proxy.backend.single").level is Level.OK


def test_more_than_one_route_is_critical() -> None:
    world = World.healthy()
    world.nodes["haproxy-01"].routes = (MASTER, OTHER)
    assert finding(world.live(), "redis-proxy.backend.single").level is Level.CRITICAL


def test_sentinels_that_disagree_are_critical_and_one_that_is_silent_is_not() -> None:
    world = World.healthy()
    world.named["redis-02"] = ""
    assert bad(world.live()) == []
    world.named["redis-03"] = OTHER
    found = finding(world.live(), "redis-proxy.backend.single")
    assert found.level is Level.CRITICAL
    assert "(redis-02 names no node)" in found.message


def test_nobody_who_names_a_master_is_critical() -> None:
    world = World.healthy()
    world.named = dict.fromkeys(SENTINELS, "")
    assert finding(world.live(), "redis-proxy.backend.single").level is Level.CRITICAL


@pytest.mark.parametrize(
    ("age", "level"), [(STALE_AFTER, Level.OK), (STALE_AFTER + 1, Level.CRITICAL)]
)
def test_a_watcher_without_a_recent_success_is_critical(age: int, level: Level) -> None:
    """It was dead on arrival, and nobody knew before the next failover."""
    world = World.healthy()
    world.nodes["haproxy-01"].age = age
    assert finding(world.live(), "redis-proxy.watcher").level is level


@pytest.mark.parametrize("state", ["inactive", "failed"])
def test_a_stopped_watcher_is_told_at_once_though_its_heartbeat_is_fresh(state: str) -> None:
    """S-11: for 40 s all was green, and a failover within them lost writes."""
    world = World.healthy()
    world.damage("haproxy-01", f"systemd-unit:{UNIT}", state=state, running=False)
    found = finding(world.live(), "redis-proxy.watcher")
    assert (found.level, "is stopped" in found.message) == (Level.CRITICAL, True)
    assert f"systemctl start {UNIT}" in found.hint


def test_a_watcher_says_why_it_has_no_success() -> None:
    world = World.healthy()
    node = world.nodes["haproxy-01"]
    node.age, node.trouble = None, "no Sentinel answers"
    message = finding(world.live(), "redis-proxy.watcher").message
    assert message == "the watcher has had no success yet: no Sentinel answers"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"success": "often"}', "null"])
def test_a_heartbeat_that_can_not_be_read_is_critical(text: str) -> None:
    live = answered(World.healthy().live(), "redis-proxy.heartbeat", {"text": text})
    assert finding(live, "redis-proxy.watcher").level is Level.CRITICAL


def test_a_write_that_ends_on_a_replica_is_critical() -> None:
    """A replica answers PONG, and the writes of applications were READONLY errors."""
    said = {"accepted": True, "role": "slave", "reason": ""}
    live = answered(World.healthy().live(), "redis-proxy.session:write", said)
    found = finding(live, "redis-proxy.write")
    assert found.level is Level.CRITICAL
    assert "it leads to a node that says role:slave" in found.message


@pytest.mark.parametrize(
    ("reply", "level", "said"),
    [
        ({"role": "master"}, Level.OK, "6379 leads to the master"),
        ({"role": "slave"}, Level.CRITICAL, "says role:slave"),
        ({"error": "ERR unknown"}, Level.CRITICAL, "ERR unknown"),
        ({}, Level.CRITICAL, r"says role:\?"),
    ],
)
def test_a_look_judges_by_the_nodes_own_word_and_writes_nothing(
    reply: dict[str, str], level: Level, said: str
) -> None:
    live = World.healthy().live()
    view = live.hosts["haproxy-01"]
    role = Answer(
        "redis-proxy.session:role", {"denied": "", "replies": {"INFO replication": reply}}
    )
    answers = {name: a for name, a in view.answers.items() if name != "redis-proxy.session:write"}
    looked = replace(view, answers={**answers, role.name: role})
    live = replace(live, hosts={**live.hosts, "haproxy-01": looked})
    found = finding(live, "redis-proxy.write")
    assert found.level is level
    assert re.search(said, found.message)


def test_the_load_balancer_may_be_silent_but_not_wrong() -> None:
    world = World.healthy()
    world.balancer = "timed out"
    assert {level for _, _, level in bad(world.live())} == {Level.WARN}
    said = {"accepted": False, "role": "slave", "reason": "READONLY"}
    live = answered(World.healthy().live(), "redis-proxy.balancer.10.0.0.10:write", said)
    assert finding(live, "redis-proxy.balancer").level is Level.CRITICAL


def test_a_stale_configuration_on_one_host_is_part_of_each_check() -> None:
    for identity, word in ((CFG, "haproxy.cfg"), (f"file:{WATCHER}/watcher.json", "watcher.json")):
        world = World.healthy()
        world.damage("haproxy-02", identity, digest="other")
        assert bad(world.live()) == [("redis-proxy.parity", "", Level.CRITICAL)]
        assert word in finding(world.live(), "redis-proxy.parity").message


def test_a_process_that_has_not_taken_its_new_file_is_found() -> None:
    world = World.healthy()
    world.nodes["haproxy-01"].mark = "kbz-before"
    assert bad(world.live()) == [("redis-proxy.loaded", "haproxy-01", Level.CRITICAL)]


@pytest.mark.parametrize("address", ["10.0.0.10", "10.0.0.11", "127.0.0.1"])
def test_wrong_binds_on_one_address_are_critical(address: str) -> None:
    world = World.healthy()
    world.nodes["haproxy-01"].listens_on = address
    found = finding(world.live(), "redis-proxy.listens")
    assert found.level is Level.CRITICAL
    assert address in found.message


def test_a_host_out_of_sight_is_unknown_and_not_fine() -> None:
    world = World.healthy()
    world.nodes["haproxy-02"].reachable = False
    assert bad(world.live()) == [
        ("redis-proxy.reachable", "haproxy-02", Level.UNKNOWN),
        ("redis-proxy.parity", "", Level.UNKNOWN),
    ]


def test_who_takes_sessions_does_not_depend_on_redis() -> None:
    """The guard counts hosts: a failover under way makes no host a lost one."""
    world = World.healthy()
    world.named = dict.fromkeys(SENTINELS, "")
    assert up(world.live()) == set(HOSTS)
    world.damage("haproxy-02", CONTAINER, running=False)
    assert up(world.live()) == {"haproxy-01"}


def test_the_topology_says_where_each_host_leads_and_when_the_watcher_followed() -> None:
    world = World.healthy()
    world.nodes["haproxy-02"].reachable = False
    first, second = topology(world.live()).members
    assert (first.state, dict(first.details)) == (
        "serves",
        {"master": MASTER, "clients": "7", "watcher": "1 s ago"},
    )
    assert (second.host, second.state) == ("haproxy-02", "unreachable")


@given(st.text(max_size=40), st.sampled_from(["info", "stat", "heartbeat"]))
def test_no_text_makes_a_check_raise(text: str, which: str) -> None:
    live = answered(World.healthy().live(), f"redis-proxy.{which}", {"text": text})
    assert any(level is Level.CRITICAL for _, _, level in bad(live))


def answered(live: Live, name: str, value: dict[str, Any]) -> Live:
    """Return what is seen when haproxy-01 answers this to one reading."""
    view = live.hosts["haproxy-01"]
    object.__setattr__(view, "answers", {**view.answers, name: Answer(name, value)})
    return live
